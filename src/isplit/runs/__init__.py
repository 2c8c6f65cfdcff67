"""The commands as plain functions of a composed config; with ``config`` the only readers of one."""

from isplit.runs.analyze import analyze
from isplit.runs.command import command
from isplit.runs.train import train

__all__ = ["analyze", "command", "train"]
