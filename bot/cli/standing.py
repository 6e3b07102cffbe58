def status() -> None:
    """soon"""
