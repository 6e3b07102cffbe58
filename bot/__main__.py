"""`python -m bot` is `miso`: for places where the script is not on the path."""

from bot.cli import main

if __name__ == "__main__":
    main()
