"""The decoding step of a Triton model repository, run by Triton's Python backend.

``isplit export --triton`` copies it there as ``model.py``, beside the modules that it imports.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from isplit.codec import PayloadError
from isplit.deploy.manifest import codec_of, decoded, read_export


class TritonPythonModel:
    """Payloads to codes; the backend finds the class by this name."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Read manifest and profile, which lie in the folder of this version."""
        folder = Path(args["model_repository"]) / args["model_version"]
        self.export = read_export(folder, [])
        self.codec = codec_of(self.export, folder)

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """A response to each request: its code, or why its payload is none."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        import triton_python_backend_utils as triton  # is there only inside of Triton

        payload = triton.get_input_tensor_by_name(request, "payload").as_numpy().tobytes()
        try:
            code = decoded(self.codec, self.export, payload)
        except PayloadError as error:
            why = triton.TritonError(str(error), triton.TritonError.INVALID_ARG)
            return triton.InferenceResponse(error=why)
        return triton.InferenceResponse([triton.Tensor("code", code)])
