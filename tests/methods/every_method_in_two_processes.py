"""Run by torchrun: the named methods' losses and averaged gradients on this process's half of a batch, to a folder."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
import torch.distributed as dist

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from test_every_method import small, still, total  # noqa: E402

from any_batch import noise_batch, part  # noqa: E402


def main(folder: Path, names: list[str]) -> None:
    dist.init_process_group("gloo")
    rank, count = dist.get_rank(), dist.get_world_size()
    torch.set_num_threads(1)
    batch = noise_batch(size=4)
    each = len(batch) // count
    for name in names:
        torch.manual_seed(0)
        method = still(small(name))
        loss = total(method, part(batch, slice(rank * each, (rank + 1) * each)))
        loss.backward()
        found = {key: value.grad for key, value in method.named_parameters() if value.grad is not None}
        found["loss"] = loss.detach().clone()
        for value in found.values():  # as DistributedDataParallel does
            dist.all_reduce(value)
            value /= count
        if rank == 0:
            torch.save({**found, "loss": float(found["loss"])}, folder / f"{name}.pt")
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
