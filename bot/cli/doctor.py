def doctor() -> None:
    """soon"""
