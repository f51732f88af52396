"""Images with their captions as they were written: the data of what needs no text encoder."""

from collections.abc import Iterator, Sequence

from imagen_lit.data.filter import Filter
from imagen_lit.data.loader import Data
from imagen_lit.data.shard_files.collection import Collection


class CaptionedImages(Data):
    """`Data` of one folder, without sidecars: `text` has no tokens. The same settings give the same
    order, and hold back the same rows, as in `Data`."""

    def __init__(
        self,
        shards: str,
        size: int,
        batch_size: int,
        workers: int = 0,
        seed: int = 0,
        validation: float = 0.02,
        window: int = 64,
        decoded_cache_mib: float = 0.0,
        max_bad_fraction: float = 0.01,
        filter: Filter | None = None,
    ) -> None:
        super().__init__(
            shards,
            "",
            size,
            batch_size,
            workers=workers,
            seed=seed,
            validation=validation,
            window=window,
            decoded_cache_mib=decoded_cache_mib,
            max_bad_fraction=max_bad_fraction,
            filter=filter,
        )

    def training_captions(self) -> Iterator[str]:
        """Those of the rows that are trained on, in the order of the shards."""
        shards, selection = self.held_back()
        for number in range(len(shards)):
            shard = shards.open(number)
            for row in selection.rows(number, shard.index.hashes, is_validation=False).tolist():
                yield shard.caption(row)

    def _text(self, shards: Collection, name: str) -> tuple[None, Sequence[str]]:
        return None, ()
