# SPDX-License-Identifier: Apache-2.0
"""Merges the demo's models by task arithmetic, TIES and DARE-TIES, in plain torch: the check of the demo's claim needs no C++."""

import re

import torch


def group_of(name, granularity):
    """The group of a tensor: the input embedding and the output head are groups of their own, the final norm goes with the head."""
    layer = re.match(r"model\.layers\.(\d+)\.(.+)", name)
    if layer is None:
        return "input" if "embed_tokens" in name else "output"
    if granularity == "layer":
        return f"layer {layer[1]}"
    if granularity == "model":
        return "layers"
    part = layer[2]
    return f"layer {layer[1]} " + ("attention" if part.startswith("self_attn") else "mlp" if part.startswith("mlp") else "norms")


def _largest(delta, density):
    """Keeps the given share of the elements, the largest in magnitude."""
    keep = max(1, int(density * delta.numel()))
    threshold = delta.abs().flatten().kthvalue(delta.numel() - keep + 1).values
    return delta * (delta.abs() >= threshold)


def _random(delta, density, generator):
    """Keeps each element with the given probability, and divides by it."""
    if density <= 0:
        return torch.zeros_like(delta)
    return delta * (torch.rand(delta.shape, generator=generator) < density) / density


def _agreeing(parts):
    """Sums the parts that have the sign of the sum, element by element."""
    stacked = torch.stack(parts)
    sign = torch.where(stacked.sum(0) >= 0, 1.0, -1.0)
    return (stacked * (stacked.sign() == sign)).sum(0)


class Merger:
    """The base and the experts' differences from it, ready to be combined."""

    def __init__(self, base, experts, granularity="layer"):
        self.base = base
        self.deltas = [{name: tensor - base[name] for name, tensor in expert.items()} for expert in experts]
        self.groups = list(dict.fromkeys(group_of(name, granularity) for name in base))
        self._place = {name: self.groups.index(group_of(name, granularity)) for name in base}

    def merge(self, method, weights, densities=None, seed=1):
        """The merged state; weights and densities are [expert][group]. Methods: task_arithmetic, ties, dare_ties."""
        generator = torch.Generator().manual_seed(seed)
        return {name: self.base[name] + self._mixed(name, method, weights, densities, generator) for name in self.base}

    def _mixed(self, name, method, weights, densities, generator):
        place, parts = self._place[name], []
        for expert, delta in enumerate(self.deltas):
            change = delta[name]
            density = 1.0 if densities is None else float(densities[expert][place])
            if method == "ties" and density < 1:
                change = _largest(change, density)
            if method == "dare_ties" and density < 1:
                change = _random(change, density, generator)
            parts.append(change * float(weights[expert][place]))
        return sum(parts) if method == "task_arithmetic" else _agreeing(parts)
