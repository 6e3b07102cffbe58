"""Snapshots that a person can read: one Markdown file for each thing that Miso shows."""

from __future__ import annotations

from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode


class Page(SingleFileSnapshotExtension):
    file_extension = "md"
    _write_mode = WriteMode.TEXT
