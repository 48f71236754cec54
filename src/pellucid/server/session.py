"""What a client asks first: whether the server is there, and what it offers."""

from __future__ import annotations

import platform
from typing import Any

from fastapi import APIRouter

import pellucid
from pellucid.server import limits
from pellucid.server.errors import NotFound
from pellucid.server.house import House
from pellucid.text.corpora.registry import CORPORA
from pellucid.training.machine import choose_device


def routes(house: House) -> APIRouter:
    router = APIRouter(tags=["session"])
    machine = _machine(house.models.device)

    @router.get("/health")
    def health() -> dict[str, str]:
        """Whether the server is there."""
        return {"status": "ok", "version": pellucid.__version__}

    @router.get("/api/session")
    def session() -> dict[str, Any]:
        """What the server offers: its default run, named texts, limits, machine, and the token that changes need."""
        try:
            default_run = house.runs.run().name
        except NotFound:
            default_run = None
        return {
            "version": pellucid.__version__,
            "token": house.token,
            "default_run": default_run,
            "corpora": [
                {
                    "name": name,
                    "about": corpus.description,
                    "bytes": corpus.download,
                    "preset": corpus.preset,
                }
                for name, corpus in CORPORA.items()
            ],
            "limits": {
                "prompt_characters": limits.PROMPT_CHARACTERS,
                "upload_bytes": limits.UPLOAD_BYTES,
                "upload_files": limits.UPLOAD_FILES,
                "max_tokens": limits.MAX_TOKENS,
            },
            "machine": machine,
        }

    return router


def _machine(device: str) -> str:
    """One line about where the models run."""
    import torch

    device = choose_device(device)
    where = f"{torch.get_num_threads()} CPU threads" if device == "cpu" else device
    if device.startswith("cuda"):
        where = torch.cuda.get_device_name()
    return f"{platform.system()} {platform.machine()}, {where}, torch {torch.__version__}"
