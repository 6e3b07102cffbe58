"""The window to GitHub: one scoped token a job, facts in, reports out. `bot.app` builds `client.GitHubWindow`."""
