"""The models that are kept: each a file and a note of whose it is, until when, and what it knows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from vo.anomaly.features import Feature
from vo.anomaly.models import features_of, model_of, read_model
from vo.auth import User, may_see
from vo.config import Config
from vo.errors import ForbiddenError, NotFoundError, QuotaError
from vo.forest.detector import Detector
from vo.uws.job import is_job_id, new_job_id

_SETTLED_S = 600
"""Age in seconds from which a file without a note is nobody's."""


@dataclass(frozen=True, slots=True)
class Model:
    """What is told of a kept model; `origin` is the job it came from, None: it was sent."""

    id: str
    name: str
    owner: str | None
    account: str
    created: datetime
    expires: datetime
    bytes: int
    features: tuple[str, ...]
    settings: dict[str, Any]
    scaling: str
    origin: str | None = None

    def told(self) -> dict[str, Any]:
        """The model as JSON tells it; the account is for quotas and nobody's business."""
        fields = {**asdict(self), "created": _iso(self.created), "expires": _iso(self.expires)}
        del fields["account"]
        return fields


@dataclass(frozen=True, slots=True)
class Kept:
    """A model with its forest, and how its features are asked for."""

    model: Model
    detector: Detector
    features: tuple[Feature, ...]


class Shelf:
    """Models below a directory that all processes of the service share."""

    def __init__(self, config: Config) -> None:
        self._config, self._root = config, config.models_dir

    def put(
        self,
        content: bytes,
        user: User,
        *,
        name: str,
        expires: datetime | None = None,
        origin: str | None = None,
    ) -> Model:
        """Keep a model; what is none is a UsageError, and nothing is kept."""
        table = read_model(content)
        detector, features = model_of(table), features_of(table)
        if len(list(self._notes_of(user))) >= self._config.owner_models:
            raise QuotaError(
                f"{self._config.owner_models} models of yours are kept, as many as one owner may have.",
                hint="Delete some.",
            )
        now = datetime.now(UTC)
        model = Model(
            id=new_job_id(),
            name=name,
            owner=user.name,
            account=user.account,
            created=now,
            expires=self._until(expires, now),
            bytes=len(content),
            features=tuple(feature.name for feature in features) or detector.names,
            settings=asdict(detector.forest.settings),
            scaling=str(detector.preparation.scaling),
            origin=origin,
        )
        self._root.mkdir(parents=True, exist_ok=True)
        self._write(self._file(model.id), content)
        self._note(model)
        return model

    def all(self, user: User) -> list[Model]:
        """The models of a user, or those of nobody for the public; the newest first."""
        mine = [model for model in self._every() if model.owner == user.name]
        return sorted(mine, key=lambda model: (model.created, model.id), reverse=True)

    def get(self, model_id: str, user: User) -> Model:
        """What is known of a model."""
        model = self._read(model_id)
        if model is None or model.expires <= datetime.now(UTC):
            raise NotFoundError(f"There is no model {model_id[:40]!r}.", hint="It may have expired.")
        if not may_see(user, model):
            raise ForbiddenError(f"Model {model_id} belongs to somebody else.")
        return model

    def load(self, model_id: str, user: User) -> Kept:
        """A model with its forest."""
        model = self.get(model_id, user)
        table = read_model(self.file(model).read_bytes())
        detector = model_of(table)
        plain = tuple(Feature(name, _delimited(name)) for name in detector.names)
        return Kept(model, detector, features_of(table) or plain)

    def file(self, model: Model) -> Path:
        """The file of a model."""
        return self._file(model.id)

    def keep_until(self, model: Model, expires: datetime) -> Model:
        """Give a model another end, within the limit of the service."""
        later = Model(**{**_fields(model), "expires": self._until(expires, model.created)})
        self._note(later)
        return later

    def remove(self, model: Model) -> None:
        """Forget a model."""
        for path in (self._root / f"{model.id}.json", self._file(model.id)):
            path.unlink(missing_ok=True)

    def remove_expired(self, now: datetime) -> int:
        """Forget the models whose time has come, and files without a note; how many these were."""
        gone = [model for model in self._every() if model.expires <= now]
        for model in gone:
            self.remove(model)
        lost = [path for path in self._files() if path.stat().st_mtime < now.timestamp() - _SETTLED_S]
        for path in lost:
            path.unlink(missing_ok=True)
        return len(gone) + len(lost)

    def _files(self) -> Iterator[Path]:
        """The files that no note tells of: of a model whose sender was cut off, or half of one."""
        for path in self._root.iterdir() if self._root.is_dir() else ():
            if path.suffix != ".json" and not (self._root / f"{path.stem}.json").exists():
                yield path

    def _until(self, expires: datetime | None, created: datetime) -> datetime:
        longest = created + timedelta(seconds=self._config.model_limit_s)
        usual = created + timedelta(seconds=self._config.model_default_s)
        return min(usual if expires is None else expires, longest)

    def _every(self) -> Iterator[Model]:
        for path in self._root.glob("*.json") if self._root.is_dir() else ():
            model = self._read(path.stem)
            if model is not None:
                yield model

    def _notes_of(self, user: User) -> Iterator[Model]:
        return (model for model in self._every() if model.account == user.account)

    def _read(self, model_id: str) -> Model | None:
        if not is_job_id(model_id):
            return None
        with suppress(FileNotFoundError):
            told = json.loads((self._root / f"{model_id}.json").read_bytes())
            times = {name: datetime.fromisoformat(told[name]) for name in ("created", "expires")}
            return Model(**{**told, **times, "features": tuple(told["features"])})
        return None

    def _note(self, model: Model) -> None:
        fields = {**_fields(model), "created": _iso(model.created), "expires": _iso(model.expires)}
        self._write(self._root / f"{model.id}.json", json.dumps(fields).encode())

    def _file(self, model_id: str) -> Path:
        return self._root / f"{model_id}.arrow"

    def _write(self, path: Path, content: bytes) -> None:
        partial = path.with_name(f"{path.name}.{uuid4().hex[:8]}.partial")
        try:
            partial.write_bytes(content)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def _fields(model: Model) -> dict[str, Any]:
    return asdict(model)


def _iso(time: datetime) -> str:
    return time.isoformat()


def _delimited(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
