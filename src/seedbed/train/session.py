"""One run of `pretrain`, put together: data, network, numerics, loop, and what the artifact holds in the end."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from seedbed.core import distributed
from seedbed.core.errors import InputError
from seedbed.core.step import StepContext
from seedbed.models.architecture import is_table
from seedbed.models.artifact import Model
from seedbed.optim.parameters import evaluation_weights
from seedbed.optim.scales import scale_rates
from seedbed.train import Intervention, report
from seedbed.train import branch as branching
from seedbed.train.batchlog import BATCHES, BatchLog, write_key
from seedbed.train.budget import Budget, Every
from seedbed.train.checkpoint import Checkpoint, Checkpoints
from seedbed.train.hooks.non_finite import NonFinite
from seedbed.train.hooks.validate import Validate
from seedbed.train.loop import Loop
from seedbed.train.metrics import METRICS, MetricsLog, duration
from seedbed.train.network import Layout, check_sharding, open_network
from seedbed.train.numerics import Compile, Device, Numerics, compilation, differences, find_device, settle, taken_over
from seedbed.train.precision import Precision, Wanted
from seedbed.train.run import Run
from seedbed.train.sources import Sources

if TYPE_CHECKING:
    from seedbed.data.artifact import Tokens
    from seedbed.objectives.base import Objective
    from seedbed.optim.base import Optimizer, Schedule
    from seedbed.train.sharding import Sharding
    from seedbed.vocabulary.artifact import Tokenizer


class Session:
    """What `pretrain` does, in its order; every process does all of it, and only the first one writes and speaks."""

    interventions: list[Intervention]
    network: Any
    numerics: Numerics
    run: Run
    layout: Layout
    sharding: Sharding | None = None
    trunk: Checkpoint | None = None
    branched_from: dict[str, Any] | None = None

    def __init__(
        self,
        context: StepContext,
        *,
        model: Any,
        tokenizer: Tokenizer | None,
        data: dict[Tokens, float],
        objective: Objective,
        length: int,
        seed: int,
        device: Device,
        allow_tokenizer: bool,
    ) -> None:
        self.context, self.model, self.objective, self.length, self.seed = context, model, objective, length, seed
        self.say = context.say if distributed.rank() == 0 else lambda line: None
        if tokenizer is None and not isinstance(model, Model):
            raise InputError("tokenizer", "is required for a new model", fix="tokenizer: NAME OF ITS STEP")
        self.tokenizer = tokenizer if tokenizer is not None else model.tokenizer()
        self.vocabulary = self.tokenizer.vocabulary()
        self.pad = self.vocabulary.pad or 0
        self.sources = Sources.open(data, self.tokenizer, allow_tokenizer=allow_tokenizer)
        self.device = find_device(device)
        self.checkpoints = Checkpoints(context.folder / "checkpoints", run=context.fingerprint, keep=2, say=self.say)
        self.checkpoint = self._newest()

    def _newest(self) -> Checkpoint | None:
        """The checkpoint to go on from: the first process looks, so that all take the same one."""
        found = self.checkpoints.newest() if distributed.rank() == 0 else None
        step = distributed.from_first(found.step if found else None)
        return None if step is None else self.checkpoints.at(step)

    def intervene(self, interventions: list[Intervention], validate_every: Every) -> None:
        """Those of the recipe, and what every run has unless the recipe says it otherwise."""
        chosen = list(interventions)
        validates = any(isinstance(item, Validate) for item in chosen)
        if validate_every.amount and self.sources.held_out_files and not validates:
            chosen.append(Validate(validate_every))
        if not any(isinstance(item, NonFinite) for item in chosen):
            chosen.append(NonFinite())
        self._touched = bool(interventions)
        self.interventions = chosen
        for intervention in chosen:
            intervention.on_data(self.sources, self.tokenizer)

    def open_network(self, trainable: list[str], sharding: Layout) -> None:
        """The network, on its device; in shards if there are processes to share it."""
        self.objective.bind(self.vocabulary)
        network = open_network(
            self.model, self.vocabulary, self.objective, length=self.length, trainable=trainable, seed=self.seed
        )
        self.layout, shared = sharding, sharding == "full" and distributed.world_size() > 1
        self.objective.prepare(network, self.seed)
        self.network = network if shared else network.to(self.device)
        for intervention in self.interventions:
            intervention.prepare(self.network, self.seed)
        if shared:
            from seedbed.train.sharding import Sharding

            self.sharding = Sharding(self.network, self.objective, self.device)

    def find_trunk(self, where: branching.Where) -> None:
        """The checkpoint of the run that this one branches off."""
        if not isinstance(self.model, Model):
            raise InputError("branch", "is for a model that was trained here", fix="model: NAME OF ITS STEP")
        self.trunk = branching.find(self.model, where)

    def settle(self, precision: Wanted, micro_tokens: int, compiled: Compile = "none") -> None:
        """Arithmetic, kernel, threads and compiler: chosen now, as the run began, or as in the run it branches off."""
        saved = None
        if self.checkpoint is not None:
            saved = self.checkpoint.state()["numerics"]
            differences(saved, self.device, self.say)
            if saved["device"] != self.device.type:
                saved = None  # another device has other kernels
        elif self.trunk is not None:
            state = self.trunk.state()
            if state["stream"].get("length") == self.length:
                saved = taken_over(state["numerics"], self.device, precision)
        self.numerics = settle(
            self.network,
            self.device,
            precision,
            length=self.length,
            rows=max(1, micro_tokens // self.length),
            saved=saved,
            compiled=compilation(
                compiled, self.network, self.device, touched=self._touched, sharded=self.sharding is not None
            ),
        )
        self.say(str(self.numerics))

    def make_run(
        self, optimizer: Optimizer, schedule: Schedule, budget: Budget, batch_tokens: int, sampler: Any
    ) -> None:
        """The run's state at its beginning."""
        sources, length, pad, tokenizer = self.sources, self.length, self.pad, cache(self.tokenizer.load)
        goal, rows = budget.goal(sources.num_tokens), batch_tokens // length
        if hasattr(schedule, "bind"):
            tokens = goal[0] * (rows * length if goal[1] == "steps" else 1)
            schedule.bind(tokens=tokens, batch_tokens=rows * length, lr=optimizer.lr)
        built = scale_rates(optimizer.build(self.network), self.network)
        if self.layout == "full":
            check_sharding(optimizer, self.interventions)
        self.run = Run(
            network=self.network,
            objective=self.objective,
            optimizer=built,
            schedule=schedule,
            stream=sampler.stream(sources.files, sources.weights, length, pad, self.seed),
            interventions=self.interventions,
            seed=self.seed,
            batch_rows=rows,
            row_tokens=length,
            goal=goal,
            device=self.device,
            say=self.say,
            describe=sources.describe,
            labels=sources.labels,
            files=sources.files,
            encode=lambda text: list(tokenizer().encode(text, add_special_tokens=False).ids),
            held_out=lambda rows: sources.held_out(rows, length, pad),
        )

    def begin(self) -> None:
        """A branch begins where its trunk stood, unless it has begun already."""
        if self.trunk is None:
            return
        assert isinstance(self.model, Model)
        at = self.trunk.state() if self.checkpoint else branching.begin(self.run, self.trunk)
        self.branched_from = {"run": self.model.fingerprint, "step": at["step"], "tokens": at["tokens"]}

    def train(self, save_every: Every, micro_tokens: int, clip: float) -> None:
        """The loop."""
        first, folder = distributed.rank() == 0, self.context.folder
        if first:
            write_key(folder, self.sources, self.tokenizer)
        loop = Loop(
            self.run,
            Precision.from_dict(self.numerics.precision),
            MetricsLog(folder / METRICS if first else None),
            BatchLog(folder / BATCHES if first else None),
            self.checkpoints,
            save_every,
            micro_tokens,
            clip,
            facts={"numerics": self.numerics.as_dict()},
            sharding=self.sharding,
        )
        loop.train(self.checkpoint)

    def finish(self) -> None:
        """The model's folder and the counts. Of the checkpoints the last one stays, for runs that branch off."""
        from seedbed.models.save import save_model

        context = self.context
        with evaluation_weights(self.run.optimizer):
            if self.sharding is not None:
                self.run.device = self.sharding.gather()
            if distributed.rank() != 0:
                return
            counts = report.counts(self.run, self.sources, self.numerics, context.folder)  # of what was trained
            self.objective.export(self.network)
            for intervention in self.interventions:
                intervention.export(self.network)
            sizes = {name: parameter.numel() for name, parameter in self.network.named_parameters()}
            counts["parameters"] = sum(sizes.values())
            counts["parameters_without_embeddings"] = sum(n for name, n in sizes.items() if not is_table(name))
            if self.branched_from is not None:
                counts["branched_from"] = self.branched_from
            context.counts.update(counts)
            card = report.card(context.name, context.parameters, counts)
            save_model(self.network, self.tokenizer.path, context.folder, card)
            self.objective.save(context.folder)
            for intervention in self.interventions:
                intervention.save(context.folder)
        self.checkpoints.prune(1)
        self.checkpoints.remove_damaged()
        loss = "no loss" if counts["loss"] is None else f"loss {counts['loss']:.4f}"
        held_out = counts.get("validation_loss")
        self.say(
            f"{loss}"
            + (f", on held-out data {held_out:.4f}" if held_out is not None else "")
            + f", after {counts['tokens']:,} tokens in {duration(counts['seconds'])}"
        )
