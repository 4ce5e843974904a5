"""The tensor algebra that methods share, alone and across processes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.multiprocessing
from torch import Tensor, nn

from soundspot import ops


def test_similarities_are_dot_products_at_every_place():
    torch.manual_seed(0)
    cells, sounds = torch.randn(3, 5, 2, 4), torch.randn(6, 5)
    got = ops.similarity(cells, sounds)
    assert got.shape == (3, 6, 2, 4)
    torch.testing.assert_close(got[1, 4, 0, 3], cells[1, :, 0, 3] @ sounds[4])
    torch.testing.assert_close(ops.own_similarity(cells, sounds[:3])[2], got[2, 2])


def test_similarities_stay_in_float32_under_autocast():
    cells, sounds = ops.unit(torch.rand(2, 64, 3, 3)), ops.unit(torch.rand(2, 64))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = ops.similarity(cells, sounds)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, ops.similarity(cells, sounds), rtol=0, atol=0)


def test_unit_vectors_have_length_1_and_zeros_stay():
    got = ops.unit(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    torch.testing.assert_close(got, torch.tensor([[0.6, 0.8], [0.0, 0.0]]))


@pytest.mark.parametrize("pool", [ops.max_pool, ops.mean_pool])
def test_chunks_change_neither_values_nor_gradients(pool):
    torch.manual_seed(0)
    results = []
    for chunk in (2**20, 50):
        cells = torch.randn(5, 4, 3, 3, generator=torch.Generator().manual_seed(1), requires_grad=True)
        sounds = torch.randn(5, 4, generator=torch.Generator().manual_seed(2), requires_grad=True)
        pooled = ops.pooled_similarity(cells, sounds, pool, chunk_elements=chunk)
        ops.symmetric_info_nce(pooled).backward()
        results.append((pooled, cells.grad, sounds.grad))
    torch.testing.assert_close(results[0], results[1])


def kept_elements(compute) -> int:
    """How many numbers a forward pass keeps for the backward pass, each tensor's memory counted once."""
    sizes: dict[int, int] = {}
    alive = []  # what is let go in between must not lend its address to another

    def pack(tensor: Tensor) -> Tensor:
        alive.append(tensor)
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes() // 4
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        compute()
    return sum(sizes.values())


def test_in_chunks_no_similarity_is_kept_for_the_backward_pass():
    cells, sounds = torch.randn(24, 4, 7, 7, requires_grad=True), torch.randn(24, 4, requires_grad=True)
    everything = 24 * 24 * 49

    def soft(scores: Tensor) -> Tensor:
        return ops.soft_pool(scores, torch.sigmoid(scores))

    whole = kept_elements(lambda: ops.pooled_similarity(cells, sounds, soft))
    lean = kept_elements(lambda: ops.pooled_similarity(cells, sounds, soft, copies=4, chunk_elements=everything))
    assert whole >= 2 * everything
    assert lean < 0.3 * everything, "copies are counted: a fourth of the pictures at a time"


def test_max_pool_gives_its_gradient_to_one_place():
    maps = torch.zeros(1, 1, 2, 2, requires_grad=True)
    ops.max_pool(maps).sum().backward()
    assert sorted(maps.grad.flatten().tolist()) == [0, 0, 0, 1]


def test_gathering_alone_changes_nothing():
    x = torch.randn(3, 2)
    assert ops.gather(x) is x
    assert ops.rank() == 0


class Toy(nn.Module):
    """Pictures and sounds through a linear layer each."""

    def __init__(self) -> None:
        super().__init__()
        self.image, self.audio = nn.Conv2d(3, 4, 1), nn.Linear(5, 4)

    def forward(self, images: Tensor, sounds: Tensor) -> Tensor:
        """EZ-VSL's loss over all processes, and LVS's way: own pictures against all sounds."""
        cells, vectors = ops.unit(self.image(images)), ops.unit(self.audio(sounds))
        everyone = ops.gather(vectors)
        symmetric = ops.symmetric_info_nce(ops.pooled_similarity(ops.gather(cells), everyone, ops.max_pool))
        own = ops.pooled_similarity(cells, everyone, ops.mean_pool)
        first = ops.rank() * len(cells)
        return symmetric + nn.functional.cross_entropy(own, torch.arange(first, first + len(cells)))


def gradients(model: nn.Module, images: Tensor, sounds: Tensor) -> list[Tensor]:
    model(images, sounds).backward()
    return [parameter.grad for parameter in model.parameters()]


def one_of_two(rank: int, rendezvous: str, folder: str) -> None:
    """What each process does: half of the batch, with DistributedDataParallel as the training loop uses it."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=rendezvous, rank=rank, world_size=2)
    data = torch.load(Path(folder) / "data.pt")
    model = Toy()
    model.load_state_dict(data["weights"])
    half = slice(3 * rank, 3 * rank + 3)
    wrapped = nn.parallel.DistributedDataParallel(model)
    torch.save(gradients(wrapped, data["images"][half], data["sounds"][half]), Path(folder) / f"{rank}.pt")
    del wrapped  # its reducer's threads must have ended, and the other process be done, before the group goes
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def test_two_processes_have_the_gradient_of_one_with_the_whole_batch(tmp_path):
    torch.manual_seed(0)
    model = Toy()
    data = {"weights": model.state_dict(), "images": torch.randn(6, 3, 2, 2), "sounds": torch.randn(6, 5)}
    torch.save(data, tmp_path / "data.pt")
    torch.multiprocessing.spawn(one_of_two, ((tmp_path / "meet").as_uri(), str(tmp_path)), nprocs=2)
    expected = gradients(model, data["images"], data["sounds"])
    for rank in range(2):
        torch.testing.assert_close(torch.load(tmp_path / f"{rank}.pt"), expected)
