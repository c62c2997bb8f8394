"""A text encoder of OpenCLIP's classes, as the WebUI holds those of Stable Diffusion 2 and XL."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..export.tensor_part import take_part, third
from ..model import Layer, Weight
from ..support.forward import wrap_forward
from .text_encoder import LoadedTextEncoder
from .text_names import IN_LAYER, PROJECTIONS

UNTRAINED = ("token_embedding.", "positional_embedding", "logit_scale", "visual.")


class Projection(nn.Linear):
    """Queries, keys, values or the output of a fused attention as a layer of its own.

    It holds no weights: they are a part of the attention's, looked up at each use, because a module that is moved
    gets new tensors.
    """

    def __init__(self, attention: nn.MultiheadAttention, ending: str | None):
        """ending: which third of the fused weights it is; None: the output."""
        nn.Module.__init__(self)
        self.of: tuple[Any, str | None] = attention, ending  # not as a child, whose weights would count twice
        self.in_features = self.out_features = attention.embed_dim

    @property
    def weight(self) -> Any:  # type: ignore[override]
        attention, ending = self.of
        return attention.out_proj.weight if ending is None else take_part(ending, attention.in_proj_weight)

    @property
    def bias(self) -> Any:  # type: ignore[override]
        attention, ending = self.of
        fused = attention.in_proj_bias
        return attention.out_proj.bias if ending is None else None if fused is None else take_part(ending, fused)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)


class FusedAttention:
    """An nn.MultiheadAttention whose four projections can be adapted one by one."""

    def __init__(self, module: nn.MultiheadAttention):
        self.module = module
        self.projections = {name: Projection(module, third(n)) for n, name in enumerate(PROJECTIONS)}
        self.projections["out_proj"] = Projection(module, None)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None,
                **unused: Any) -> tuple[Tensor, None]:
        """As the module's own with need_weights=False."""
        q, k, v = (self.in_heads(self.projections[name](x)) for name, x in zip(PROJECTIONS, (query, key, value)))
        mask = None if attn_mask is None else attn_mask.to(q.dtype)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)  # (batch, heads, tokens, width of a head)
        mixed = mixed.transpose(1, 2).flatten(2)
        return self.projections["out_proj"](mixed if self.module.batch_first else mixed.transpose(0, 1)), None

    def in_heads(self, x: Tensor) -> Tensor:
        x = x if self.module.batch_first else x.transpose(0, 1)
        return x.unflatten(2, (self.module.num_heads, -1)).transpose(1, 2)


class OpenClipTextEncoder(LoadedTextEncoder):
    """model: an open_clip CLIP with a text transformer; tokenizer: one like transformers'."""

    def __init__(self, names: Any, model: Any, tokenizer: Any):
        super().__init__(names, model, tokenizer)
        blocks = list(model.transformer.resblocks)
        self.resblocks = blocks[:len(blocks) - names.spare]
        self.attentions = [FusedAttention(block.attn) for block in self.resblocks]

    @contextmanager
    def exposed(self, first: Callable[[nn.Module], None] | None = None) -> Iterator[None]:
        """Within, the projections of fused attention can be adapted. first: what the host does before each use."""
        def separate(fused: FusedAttention, own: Any) -> Callable[..., Any]:
            def forward(*args: Any, **kwargs: Any) -> Any:
                if first:
                    first(fused.module)
                return fused.forward(*args, **kwargs)
            return forward

        with ExitStack() as undo:
            for fused in self.attentions:
                undo.callback(wrap_forward(fused.module, partial(separate, fused)))
            yield

    def layers(self) -> Iterator[Layer]:
        for n, (block, fused) in enumerate(zip(self.resblocks, self.attentions)):
            path = f"text_model.encoder.layers.{n}"
            for name, projection in fused.projections.items():
                yield self.layer(f"{path}.self_attn.{name}", projection)
            for name, own in IN_LAYER.items():
                if not own.startswith("attn."):
                    yield self.layer(f"{path}.{name}", block.get_submodule(own))

    def weights(self) -> Iterator[Weight]:
        unread = tuple(f"transformer.resblocks.{len(self.resblocks) + n}." for n in range(self.names.spare))
        unpooled = () if self.names.pools else ("text_projection", )
        for name, parameter in self.model.named_parameters():
            if not name.startswith((*UNTRAINED, *unread, *unpooled)):
                yield Weight(f"{self.names.checkpoint}{name}", self.names.part, parameter)

    @property
    def device(self) -> torch.device:
        return self.model.positional_embedding.device

    def run(self, ids: Tensor, clip_skip: int) -> tuple[Tensor, Tensor | None]:
        states = self.states(self.model.token_embedding(ids) + self.model.positional_embedding)
        hidden = states[-self.names.skip]
        if self.names.final_norm:
            hidden = self.model.ln_final(hidden)
        return hidden, self.at_ends(states[-1], ids) if self.names.pools else None

    def states(self, x: Tensor) -> list[Tensor]:
        """(n, 77, width) after each layer."""
        batch_first, found = self.attentions[0].module.batch_first, []
        x = x if batch_first else x.transpose(0, 1)
        for block in self.resblocks:
            x = block(x, attn_mask=self.model.attn_mask)
            found.append(x if batch_first else x.transpose(0, 1))
        return found

    def at_ends(self, last: Tensor, ids: Tensor) -> Tensor:
        """(n, width): the last layer at the prompt's end, whose token has the highest number."""
        ends = self.model.ln_final(last)[torch.arange(len(ids), device=last.device), ids.argmax(dim=1)]
        return ends @ self.model.text_projection.to(ends.dtype)

    def token_table(self) -> Any:
        return self.model.token_embedding
