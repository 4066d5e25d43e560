"""`seedbed suggest`: learning rate and batch for a run, the sweep that checks them, laws of one's own runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .as_json import JsonOption, print_json
from .build import RunsOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seedbed.scaling.loss_law import Fit
    from seedbed.scaling.rate_law import FittedPowerLaw, RateLaw
    from seedbed.scaling.recipe import Training
    from seedbed.scaling.step_law import Suggestion


def suggest(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            help="A recipe, where needed the step that trains, and changes (PATH=VALUE); with --fit or --law files.",
            metavar="[RECIPE [STEP] [PATH=VALUE]... | FILE...]",
        ),
    ] = None,
    parameters: Annotated[str | None, typer.Option(help="Parameters without embeddings, such as 14M.")] = None,
    tokens: Annotated[str | None, typer.Option(help="Tokens to train on, such as 300M.")] = None,
    length: Annotated[int, typer.Option(help="Tokens a row; the batch is whole rows.")] = 128,
    sweep: Annotated[
        Path | None, typer.Option(help="Write a comparison to this file: rates and batches around the suggestion.")
    ] = None,
    metric: Annotated[str | None, typer.Option(help="What the sweep measures; by default STEP.loss.")] = None,
    fit: Annotated[
        bool,
        typer.Option("--fit", help="Find the best rate and batch in sweeps' results; in several, the law of them."),
    ] = False,
    law: Annotated[bool, typer.Option("--law", help="Fit L = E + A/N^a + B/D^b to results or CSV files.")] = False,
    flops: Annotated[str | None, typer.Option(help="With --law: divide this compute, such as 1e18.")] = None,
    runs: RunsOption = Path("runs"),
    as_json: JsonOption = False,
) -> None:
    """Suggest learning rate and batch for a run (Step Law), and say how far it is from what the law was fitted to."""
    given = what or []
    if law:
        _law([Path(text) for text in given], flops, as_json)
    elif fit:
        _fit([Path(text) for text in given], parameters, tokens, as_json)
    else:
        _suggest(given, parameters, tokens, length, sweep, metric, runs, as_json)


def _suggest(
    given: list[str],
    parameters: str | None,
    tokens: str | None,
    length: int,
    sweep: Path | None,
    metric: str | None,
    runs: Path,
    as_json: bool,
) -> None:
    from seedbed.core.errors import InputError
    from seedbed.scaling.recipe import read_training
    from seedbed.scaling.step_law import suggest as by_law

    names, overrides = [text for text in given if "=" not in text], [text for text in given if "=" in text]
    training = None
    if names:
        if parameters or tokens or len(names) > 2:
            raise InputError("", "give a recipe and a step, or --parameters and --tokens", value=names)
        training = read_training(Path(names[0]), names[1] if names[1:] else None, overrides, runs)
        suggestion = by_law(training.parameters, training.tokens, training.length)
    elif parameters and tokens:
        suggestion = by_law(_amount("--parameters", parameters), _amount("--tokens", tokens), length)
    else:
        raise InputError("", "of what?", fix="seedbed suggest RECIPE, or --parameters 14M --tokens 300M")
    if sweep is not None and training is None:
        raise InputError("--sweep", "needs a recipe", fix="seedbed suggest RECIPE --sweep FILE.yaml")
    if as_json:
        print_json(_facts(suggestion))
    else:
        _print_suggestion(suggestion, training)
    if sweep is not None and training is not None:
        arms = _write_sweep(Path(names[0]), training, suggestion, metric, overrides, sweep)
        where = "" if runs == Path("runs") else f" --runs {runs}"
        typer.echo(
            f"\nwrote {sweep}: {arms} arms of {suggestion.tokens:.3g} tokens\nnext: seedbed compare {sweep}{where}; "
            f"seedbed suggest --fit {runs / 'comparisons' / f'{sweep.stem}.json'}",
            err=as_json,  # beside the JSON, not in it
        )


def _print_suggestion(suggestion: Suggestion, training: Training | None) -> None:
    from seedbed.scaling import step_law

    run = f"{suggestion.parameters:.4g} parameters without embeddings, {suggestion.tokens:.4g} tokens"
    typer.echo(f"{step_law.SOURCE}\n{run if training is None else f'{training.step}: {run}'}\n")
    now = ("", "") if training is None else (f"   now {training.lr:g}", f"   now {training.batch_tokens:,}")
    typer.echo(f"learning rate  {suggestion.lr:.3g}{now[0]}   (peak; 1.79 N^-0.713 D^0.307)")
    rows = suggestion.batch_tokens // suggestion.length
    typer.echo(
        f"batch          {suggestion.batch:,.0f} tokens{now[1]}   (0.58 D^0.571; {rows} rows of {suggestion.length})\n"
    )
    if suggestion.outside:
        typer.echo(
            f"outside the law's data: {'; '.join(suggestion.outside)}. This is an extrapolation: --sweep checks it"
        )
    else:
        typer.echo("within the law's data")
    if training is not None and (training.optimizer != "adamw" or training.attention != "causal"):
        typer.echo(f"the law is of AdamW and causal models, not of {training.optimizer}, {training.attention}")
    typer.echo(f"\n  optimizer: {{adamw: {{lr: {suggestion.lr:.3g}}}}}\n  batch_tokens: {suggestion.batch_tokens}")


def _facts(suggestion: Suggestion) -> dict[str, Any]:
    from dataclasses import asdict

    from seedbed.scaling.step_law import SOURCE

    facts = {"batch_tokens": suggestion.batch_tokens, "outside": suggestion.outside, "source": SOURCE}
    return {**asdict(suggestion), **facts}


def _write_sweep(
    recipe: Path, training: Training, suggestion: Suggestion, metric: str | None, overrides: list[str], out: Path
) -> int:
    """Write the comparison; the number of its arms."""
    import yaml

    from seedbed.core.errors import InputError
    from seedbed.scaling.sweep import comparison

    if out.exists():
        raise InputError(str(out), "exists already", fix="choose another name")
    content = comparison(recipe, training, suggestion, metric or f"{training.step}.loss", overrides, out)
    out.write_text(yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=110), encoding="utf8")
    return len(content["arms"])


def _fit(paths: list[Path], parameters: str | None, tokens: str | None, as_json: bool) -> None:
    from seedbed.core.errors import InputError
    from seedbed.scaling.bowl import judge, read_sweep
    from seedbed.scaling.rate_law import fit_rate_law

    if not paths:
        raise InputError("--fit", "wants a sweep's result", fix="seedbed suggest --fit runs/comparisons/SWEEP.json")
    sizes = [_amount(f"--{name}", text) for name, text in (("parameters", parameters), ("tokens", tokens)) if text]
    if len(sizes) == 1 or (sizes and len(paths) == 1):
        raise InputError("--fit", "a law is asked of several sweeps, with --parameters and --tokens", value=len(paths))
    sweeps = [read_sweep(path) for path in paths]
    found = [judge(sweep) for sweep in sweeps]
    law, problem = None, ""
    if len(sweeps) > 1:
        try:
            law = fit_rate_law(sweeps)
        except InputError as error:  # each sweep has told what it could
            problem = str(error)
    if as_json:
        print_json({"sweeps": found, "law": law and _rate_law_facts(law, sizes), "problem": problem})
        return
    for facts in found:
        _print_fit(facts)
    if law is not None:
        _print_rate_law(law, sizes)
    elif problem:
        typer.echo(f"no law: {problem}")


def _rate_law_facts(law: RateLaw, sizes: list[float]) -> dict[str, Any]:
    facts: dict[str, Any] = {"sweeps": law.sweeps, "left_out": law.left_out}
    for name, fitted, given in (("lr", law.rate, sizes), ("batch", law.batch, sizes[1:])):
        facts[name] = fitted and {
            "factor": fitted.law.factor,
            "exponents": fitted.law.exponents,
            "intervals": fitted.exponent_intervals(),
            **(dict(zip(("value", "interval"), fitted.predicted(*given), strict=True)) if given else {}),
        }
    return facts


def _print_rate_law(law: RateLaw, sizes: list[float]) -> None:
    from seedbed.scaling import step_law

    typer.echo(f"\nthe law of these sweeps ({len(law.sweeps)} optima), beside {step_law.SOURCE}:")
    _print_power("learning rate", law.rate, ("N", "D"), sizes, step_law.RATE.exponents)
    if law.batch is not None:
        _print_power("batch", law.batch, ("D",), sizes[1:], step_law.BATCH.exponents)
    for name in law.left_out:
        typer.echo(f"  left out: {name}, which shows no optimum")


def _print_power(
    name: str, fitted: FittedPowerLaw, of: Sequence[str], sizes: Sequence[float], published: Sequence[float]
) -> None:
    parts = []
    rows = zip(of, fitted.law.exponents, fitted.exponent_intervals(), fitted.varied, published, strict=True)
    for size, exponent, span, varied, theirs in rows:
        if varied:
            text = "" if span is None else f" [{span[0]:.3g}, {span[1]:.3g}]"
            parts.append(f"{size}^{exponent:.3g}{text} (there {theirs:g})")
        else:
            parts.append(f"({size} was the same in all)")
    typer.echo(f"  {name} = {fitted.law.factor:.3g} {' '.join(parts)}")
    if not fitted.freedom:
        typer.echo("    as many unknowns as optima: no interval")
    if sizes:
        value, span = fitted.predicted(*sizes)
        typer.echo(f"    for this run {value:.3g}" + ("" if span is None else f" [{span[0]:.3g}, {span[1]:.3g}]"))


def _print_fit(facts: dict[str, Any]) -> None:
    best, optimum = facts["best_loss"], facts["optimum"]
    typer.echo(f"{facts['sweep']}: best arm {facts['best_arm']}, loss {best:.4f}")
    if optimum["problem"]:
        typer.echo(f"no optimum to fit: {optimum['problem']}")
    else:
        ends = {name: facts.get(f"{name}_interval") for name in ("lr", "batch")}
        texts = {name: "" if span is None else f" [{span[0]:.3g}, {span[1]:.3g}]" for name, span in ends.items()}
        typer.echo(
            f"optimum: learning rate {optimum['lr']:.3g}{texts['lr']}, batch {optimum['batch']:.4g}{texts['batch']}, "
            f"loss {optimum['loss']:.4f} (quadratic in the logarithms, around the best arm)"
        )
    if "gap" in facts:
        typer.echo(f"the suggestion's loss is {facts['gap']:.4f} ({100 * facts['gap'] / best:.2f}%) above the best")


def _law(paths: list[Path], flops: str | None, as_json: bool) -> None:
    import numpy as np

    from seedbed.core.errors import InputError
    from seedbed.scaling.loss_law import fit_law, frontier
    from seedbed.scaling.points import read_points

    points = read_points(paths)
    budget = None if flops is None else _amount("--flops", flops)
    flops_P, loss_P = np.array([p.flops for p in points]), np.array([p.loss for p in points])
    fit = fit_law(np.array([[p.parameters for p in points], [p.tokens for p in points]]), loss_P)
    kept_P = frontier(flops_P, loss_P)
    try:
        compute: Fit | None = fit_law(flops_P[None, kept_P], loss_P[kept_P])
    except InputError:  # too few runs lie on the frontier
        compute = None
    if as_json:
        facts = {"runs": len(points), **_law_facts(fit, budget), "compute": compute and _law_facts(compute, None)}
        print_json(facts)
        return
    typer.echo(f"L = E + A / N^a + B / D^b, {len(points)} runs (Hoffmann et al., 2022, approach 3); 95% by bootstrap")
    _print_numbers(("E", "A", "B", "a", "b"), fit.law.numbers(), fit.intervals(lambda law: law.numbers()))
    typer.echo(f"  the runs lie {100 * fit.error:.2g}% from it")
    if compute is not None:
        typer.echo(f"L = E + A / C^a, C FLOPs, the {kept_P.sum()} runs that no cheaper run beats")
        _print_numbers(("E", "A", "a"), compute.law.numbers(), compute.intervals(lambda law: law.numbers()))
    if budget is not None:
        typer.echo(f"for {budget:.3g} FLOPs (6 N D):")
        split = fit.intervals(lambda law: law.split(budget))
        _print_numbers(("parameters", "tokens", "loss"), fit.law.split(budget), split)
        if budget > flops_P.max():
            typer.echo(f"  {budget / flops_P.max():.3g} times the FLOPs of the largest run: an extrapolation")


def _law_facts(fit: Fit, budget: float | None) -> dict[str, Any]:
    from dataclasses import asdict

    facts = {**asdict(fit.law), "intervals": fit.intervals(lambda law: law.numbers()), "error": fit.error}
    if budget is not None:
        facts["split"] = fit.law.split(budget)
        facts["split_intervals"] = fit.intervals(lambda law: law.split(budget))
    return facts


def _print_numbers(names: Sequence[str], values: Sequence[float], intervals: Sequence[Sequence[float]]) -> None:
    for name, value, (low, high) in zip(names, values, intervals, strict=True):
        typer.echo(f"  {name}  {value:.4g} [{low:.4g}, {high:.4g}]")


def _amount(option: str, text: str) -> float:
    """14M, 1.2B, 3e8."""
    from seedbed.core.errors import InputError
    from seedbed.train.budget import Budget

    try:
        return Budget.parse(f"{text} tokens").amount
    except InputError:
        raise InputError(option, "is no number", value=text, allowed="such as 14M, 1.2B, 3e8") from None
