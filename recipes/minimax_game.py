"""Min over x, max over y: two players that follow their gradients, without any network.

A GAN is such a game. The first example, `x^2 + 2xy - 3y^2 + 4x + 5y + 6`, is a bowl for x and a hill for y: with
simultaneous as well as with alternating updates, the players converge to (-17/8, 1/8). The second, `xy`, has neither
bowl nor hill. With simultaneous updates the players spiral outward: each step multiplies their distance by sqrt(1 +
rate^2). With alternating updates they circle. Three methods make the players converge. Extragradient evaluates the
gradient one step ahead, optimism corrects each step by the previous gradient, and a penalty makes the objective concave
in y, as R1 does for a discriminator. An epoch is one step.

Command:   python recipes/minimax_game.py
Minutes:   0.1 on a CPU
Expected:  In the first game, the first simultaneous step goes to (-1.1, 0.1), and both paths end at (-2.125, 0.125).
           In the second game, the distance from the solution starts at 1. After 300 steps it is 4.4 with simultaneous
           updates, 0.99 with alternating updates, 0.22 with extragradient and with optimism, and 7e-7 with the penalty

Reference: [Goodfellow et al., 2014](https://arxiv.org/abs/1406.2661), the game;
           [Daskalakis et al., 2017](https://arxiv.org/abs/1711.00141), optimism;
           [Gidel et al., 2018](https://arxiv.org/abs/1802.10551), extragradient;
           [Mescheder et al., 2018](https://arxiv.org/abs/1801.04406), the penalty
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

RATE = 0.1


def value(x, y):
    return x**2 + 2 * x * y - 3 * y**2 + 4 * x + 5 * y + 6


def slopes(x, y):
    """Returns the gradients that players descend: df/dx, and -df/dy for the one that maximizes."""
    return np.array([2 * x + 2 * y + 4, -(2 * x - 6 * y + 5)])


def bilinear(x, y):
    return np.array([y, -x])


def penalised(x, y):
    """Returns the gradients that players descend in the penalized game `xy - y^2 / 2`."""
    return np.array([y, y - x])


def simultaneous(slopes, now, before):
    return now - RATE * slopes(*now)


def alternating(slopes, now, before):
    x = simultaneous(slopes, now, before)[0]
    return np.array([x, simultaneous(slopes, (x, now[1]), before)[1]])


def extragradient(slopes, now, before):
    return now - RATE * slopes(*simultaneous(slopes, now, before))


def optimism(slopes, now, before):
    return now - RATE * (2 * slopes(*now) - slopes(*before))


def play(slopes, step, start, steps):
    """Returns the path from `start`, `(steps + 1, 2)`."""
    path = [np.array(start), np.array(start)]
    for _ in range(steps):
        path.append(step(slopes, path[-1], path[-2]))
    return np.array(path[1:])


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=300, help="steps of each player (default: 300)")
    parser.add_argument("--seed", type=int, help="without effect: nothing here is random")
    parser.add_argument("--run-dir", type=Path, help="a new folder (default: runs/minimax_game-DATE-TIME)")
    parser.add_argument("--quick", action="store_true", help="without effect: it takes seconds")
    args = parser.parse_args(argv)
    run_dir = args.run_dir or Path(time.strftime("runs/minimax_game-%Y%m%d-%H%M%S"))
    if run_dir.exists():
        parser.error(f"argument --run-dir: {run_dir} exists; nothing was overwritten")
    run_dir.mkdir(parents=True)

    steps = (simultaneous, alternating, extragradient, optimism)
    paths = {s.__name__: play(slopes, s, (-1.0, -0.5), args.epochs) for s in steps[:2]}
    tamed = {s.__name__: play(bilinear, s, (1.0, 0.0), args.epochs) for s in steps}
    tamed["penalty"] = play(penalised, simultaneous, (1.0, 0.0), args.epochs)

    print("step   simultaneous (x, y)     alternating (x, y)")
    for i in sorted({0, 1, 2, 3, 10, args.epochs} & set(range(args.epochs + 1))):
        print(f"{i:4}" + "".join(f"   ({path[i][0]:9.4f}, {path[i][1]:7.4f})" for path in paths.values()))
    distances = {name: np.hypot(*path.T) for name, path in tamed.items()}
    print(f"\nIn the game xy, the distance from (0, 0) after {args.epochs} steps (it starts at 1):")
    for name, distance in distances.items():
        print(f"  {name:14}{distance[-1]:.2g}")

    draw(paths, tamed, distances).savefig(run_dir / "game.png", dpi=120)
    summary = {name: {"first": path[1].tolist(), "last": path[-1].tolist()} for name, path in paths.items()}
    summary["bilinear_distance"] = {name: distance[-1] for name, distance in distances.items()}
    (run_dir / "summary.json").write_text(json.dumps(summary, indent=2))
    print(f"\nIn {run_dir}:")
    print("  game.png            the paths of both games")
    print("  summary.json        these figures and more")


def draw(paths, tamed, distances):
    figure = Figure(figsize=(13, 4.2), layout="constrained")
    bowl, plane, curve = figure.subplots(1, 3)
    x, y = np.meshgrid(np.linspace(-2.7, -0.7, 99), np.linspace(-0.7, 0.6, 99))
    bowl.clabel(bowl.contour(x, y, value(x, y), levels=14, colors="0.75", linewidths=0.7), fontsize=7)
    for marker, (name, path) in zip("os", paths.items(), strict=True):
        bowl.plot(*path.T, marker=marker, markersize=4, linewidth=1.2, label=name)
    bowl.plot(-17 / 8, 1 / 8, "k*", markersize=11, label="solution (-17/8, 1/8)")
    players = {"xlabel": "x minimizes", "ylabel": "y maximizes"}
    bowl.set(title="x² + 2xy - 3y² + 4x + 5y + 6", xticks=(-2.5, -2, -1.5, -1), **players)
    for name, path in tamed.items():
        # Dashed, since the paths of extragradient and optimism almost coincide.
        style = {"label": name, "linewidth": 1.4, "linestyle": "--" if name == "optimism" else "-"}
        plane.plot(*path.T, **style)
        curve.semilogy(distances[name], **style)
    plane.plot(0, 0, "k*", markersize=11)
    plane.set(title="xy", xlim=(-2.2, 2.2), ylim=(-2.2, 2.2), **players)
    curve.set(title="xy: who reaches (0, 0)", xlabel="step", ylabel="distance from (0, 0)", ylim=(1e-3, 10))
    bowl.legend(fontsize=8, loc="lower left")
    curve.legend(fontsize=8, loc="lower right")
    return figure


if __name__ == "__main__":
    main()
