"""Policies from Python: acting, values, options, threads."""

import threading

import numpy as np
import pytest

from conftest import CLONING, TINY

r2pac = pytest.importorskip("r2pac")
pytest.importorskip("r2pac._core", reason="the extension is not installed")


def test_actions_are_a_function_of_seed_episode_and_step(robot_data, robot_policy):
    observations = robot_data.observations[:6]
    first = [robot_policy.act(o) for o in observations]  # episode 0 of seed 0
    robot_policy.reset()  # what was begun without a reset was episode 0
    second = [robot_policy.act(o) for o in observations]
    assert not np.array_equal(first, second)
    robot_policy.reset(seed=0)
    np.testing.assert_array_equal([robot_policy.act(o) for o in observations], first)
    robot_policy.reset()
    np.testing.assert_array_equal([robot_policy.act(o) for o in observations], second)
    robot_policy.reset(episode=0)
    np.testing.assert_array_equal([robot_policy.act(o) for o in observations], first)
    robot_policy.reset(seed=1)
    assert robot_policy.seed == 1
    assert not np.array_equal([robot_policy.act(o) for o in observations], first)
    for bad in ({"seed": -1}, {"episode": -1}, {"episode": 2**32}):
        with pytest.raises(ValueError, match="must"):
            robot_policy.reset(**bad)


def test_rows_of_a_batch_are_episodes_side_by_side(robot_data, robot_policy):
    observations = robot_data.observations[:40].reshape(8, 5, 7)  # [step, episode, S]
    robot_policy.reset(seed=4)
    together = np.stack([robot_policy.act_batch(o) for o in observations], axis=1)
    for episode in range(5):
        robot_policy.reset(seed=4, episode=episode)
        alone = np.stack([robot_policy.act(o) for o in observations[:, episode]])
        np.testing.assert_array_equal(alone, together[episode])
    named = robot_policy.act_batch(observations[3, [4, 1]], episodes=[4, 1], steps=3)
    np.testing.assert_array_equal(named, together[[4, 1], 3])


def test_what_an_episode_has_spent_changes_what_a_budget_allows(robot_data, robot_policy):
    observations = robot_data.observations[:64]
    robot_policy.configure(selection="region", budget="half", region_bound=1e9, candidates=8)
    free = robot_policy.chunk(observations, steps=0, spent=0)
    np.testing.assert_array_equal(robot_policy.chunk(observations, steps=0, spent=np.zeros(64)), free)
    over = robot_policy.chunk(observations, steps=0, spent=robot_policy.cost_limit + 1)
    robot_policy.configure(selection="least-cost")
    np.testing.assert_array_equal(robot_policy.chunk(observations, steps=0), over)
    assert not np.array_equal(free, over)
    robot_policy.configure(selection="region")
    mixed = robot_policy.chunk(observations[:2], steps=0, spent=[0, robot_policy.cost_limit + 1])
    np.testing.assert_array_equal(mixed, [free[0], over[1]])
    robot_policy.reset(seed=0)
    first = robot_policy.act(observations[0], spent=0.0)
    np.testing.assert_array_equal(first, free[0, 0])
    for bad in ([0.0] * 3, "much"):
        with pytest.raises(ValueError, match="spent"):
            robot_policy.chunk(observations, spent=bad)
    with pytest.raises(ValueError, match="spent"):
        robot_policy.act(observations[0], spent=float("nan"))


def test_a_one_step_policy_says_one_chunk_for_each_budget(robot_data, tmp_path):
    settings = TINY | {"method": "safe-chunks", "actor": "one-step"}
    r2pac.train(settings, robot_data, out=tmp_path / "run", threads=1)
    policy = r2pac.Policy.load(tmp_path / "run", threads=1)
    observations = robot_data.observations[:16]
    free = policy.chunk(observations, steps=0, spent=0)
    over = policy.chunk(observations, steps=0, spent=policy.cost_limit + 1)
    assert not np.array_equal(free, over)
    # Another step would have other noise, if there were any.
    mixed = policy.chunk(observations[:2], steps=5, spent=[0, policy.cost_limit + 1])
    np.testing.assert_array_equal(mixed, [free[0], over[1]])
    policy.reset(seed=0)
    np.testing.assert_array_equal(policy.act(observations[0], spent=0.0), free[0, 0])
    policy.configure(num_candidates=8, selection="least-cost", flow_steps=2, guidance_scale=0)
    np.testing.assert_array_equal(policy.chunk(observations, steps=0, spent=0), free)
    policy.configure(act_with="flow")
    assert not np.array_equal(policy.chunk(observations, steps=0, spent=0), free)


def test_networks_that_see_a_budget_answer_for_what_an_episode_has_spent(robot_data, tmp_path):
    r2pac.train(TINY | {"method": "budgeted"}, robot_data, out=tmp_path / "run", threads=1)
    policy = r2pac.Policy.load(tmp_path / "run", threads=1)
    observations = robot_data.observations[:6]
    free, spent = (policy.values(observations, spent=cost) for cost in (0, 9))
    assert not np.array_equal(free.v_r, spent.v_r)
    np.testing.assert_array_equal(free.v_c, spent.v_c)
    both = policy.values(observations[:2], spent=[0, 9])
    np.testing.assert_array_equal(both.v_r, [free.v_r[0], spent.v_r[1]])
    first, later = (policy.chunk(observations, steps=0, spent=cost) for cost in (0, 9))
    assert not np.array_equal(first, later)
    with pytest.raises(ValueError, match="spent"):
        policy.values(observations, spent=[0.0] * 3)


def test_an_action_is_the_first_of_its_chunk(robot_data, robot_policy):
    observations = robot_data.observations[:3]
    chunks = robot_policy.chunk(observations, steps=0)
    assert chunks.shape == (3, 5, 2)
    assert chunks.dtype == np.float32
    assert np.abs(chunks).max() <= 1
    np.testing.assert_array_equal(robot_policy.act_batch(observations, steps=0), chunks[:, 0])
    np.testing.assert_array_equal(robot_policy.chunk(observations[0], steps=0), chunks[0])
    assert robot_policy.act_batch(np.empty((0, 7))).shape == (0, 2)


def test_long_batches_are_the_same_rows(robot_data, robot_policy):
    observations = np.resize(robot_data.observations, (2100, 7))
    robot_policy.configure(candidates=2, flow_steps=1)
    chunks = robot_policy.chunk(observations, steps=0)
    some = [0, 1023, 1024, 2048, 2099]
    np.testing.assert_array_equal(
        robot_policy.chunk(observations[some], episodes=some, steps=0), chunks[some]
    )
    values = robot_policy.values(observations, chunks)
    np.testing.assert_array_equal(robot_policy.values(observations[some], chunks[some]).q_c, values.q_c[some])


@pytest.mark.parametrize("form", ["float64", "list", "strided", "fortran"])
def test_observations_of_any_form_count_the_same(robot_data, robot_policy, form):
    plain = robot_data.observations[:4]
    wide = np.zeros((4, 14), np.float32)
    wide[:, ::2] = plain
    forms = {
        "float64": plain.astype(np.float64),
        "list": plain.tolist(),
        "strided": wide[:, ::2],
        "fortran": np.asfortranarray(plain),
    }
    np.testing.assert_array_equal(
        robot_policy.chunk(forms[form], steps=0), robot_policy.chunk(plain, steps=0)
    )


def test_wrong_observations_are_refused(robot_policy):
    with pytest.raises(ValueError, match=r"`observation` must have the shape \[7\], not \[6\]"):
        robot_policy.act(np.zeros(6))
    with pytest.raises(ValueError, match=r"`observations` must have the shape \[any, 7\], not \[7\]"):
        robot_policy.act_batch(np.zeros(7))
    with pytest.raises(ValueError, match="not finite"):
        robot_policy.act([0, 0, 0, np.nan, 0, 0, 0])
    with np.errstate(over="ignore"), pytest.raises(ValueError, match="not finite in single precision"):
        robot_policy.act(np.full(7, 1e300))
    with pytest.raises(ValueError, match="real numbers"):
        robot_policy.act("observation")
    with pytest.raises(ValueError, match=r"`actions` must have the shape \[5, 2\], not \[2\]"):
        robot_policy.values(np.zeros(7), np.zeros(2))
    for places in (
        {"episodes": [0]},
        {"episodes": [-1, 0]},
        {"steps": [0, -1]},
        {"steps": 0.5},
        {"steps": [0, 1, 2]},
    ):
        with pytest.raises(ValueError, match="must"):
            robot_policy.act_batch(np.zeros((2, 7)), **places)


def test_values(robot_data, robot_policy):
    observations = robot_data.observations[:200]
    values = robot_policy.values(observations)
    assert values.v_r.shape == values.v_c.shape == values.safe.shape == (200,)
    np.testing.assert_array_equal(values.safe, values.v_c.astype(np.float64) <= robot_policy.threshold)
    assert values.q_r is None
    assert values.q_c is None
    chunks = robot_policy.chunk(observations)
    judged = robot_policy.values(observations, chunks)
    np.testing.assert_array_equal(judged.v_c, values.v_c)
    assert judged.q_r.shape == judged.q_c.shape == (200,)
    one = robot_policy.values(observations[7], chunks[7])
    assert one.q_r.shape == ()
    assert one.q_r == judged.q_r[7]
    assert one.v_r == values.v_r[7]


def test_the_kept_chunk_is_the_one_of_least_cost(robot_data, robot_policy):
    """Candidates are drawn alike for any number of them, so more of them cannot cost more."""
    observations = robot_data.observations[:50]
    costs = [
        robot_policy.values(
            observations, robot_policy.configure(candidates=n).chunk(observations, steps=0)
        ).q_c
        for n in (1, 4, 16)
    ]
    # The same critics in another batch: equal to rounding in single precision.
    assert (costs[1] <= costs[0] + 1e-5).all()
    assert (costs[2] <= costs[1] + 1e-5).all()


def test_options(robot_data, robot_policy):
    observation = robot_data.observations[30]
    policy = robot_policy.configure(
        candidates=1, flow_steps=7, guidance=0.5, selection="region", threshold=-1.0, label="null"
    )
    assert policy is robot_policy
    assert (policy.candidates, policy.flow_steps, policy.guidance) == (1, 7, 0.5)
    assert (policy.selection, policy.label) == ("region", "null")
    before = policy.act_batch(observation[None], steps=0)
    for bad, key in (
        ({"candidates": 0}, "num_candidates"),
        ({"num_candidates": 0}, "num_candidates"),
        ({"flow_steps": 0}, "flow_steps"),
        ({"guidance": -1.0}, "guidance_scale"),
        ({"guidance": float("nan")}, "guidance_scale"),
        ({"selection": "regoin"}, "selection"),
        ({"threshold": float("nan")}, "region_bound"),
        ({"label": "2"}, "label"),
        ({"batch": 2}, "batch"),
        ({"no_such_key": 2}, "no_such_key"),
    ):
        with pytest.raises(r2pac.UsageError) as caught:
            policy.configure(**bad)
        assert caught.value.where == key
    with pytest.raises(r2pac.UsageError, match="allowed: least-cost, region"):
        policy.configure(selection="regoin")
    np.testing.assert_array_equal(policy.act_batch(observation[None], steps=0), before)
    assert not np.array_equal(policy.configure(flow_steps=1).act_batch(observation[None], steps=0), before)


def test_settings_of_acting_have_their_names_and_older_ones(robot_data, robot_policy):
    observations = robot_data.observations[:20]
    policy = robot_policy.configure(candidates=2, guidance=0.5, selection="region", threshold=1.5)
    by_old_names = policy.chunk(observations, steps=0)
    policy.configure(num_candidates=1, guidance_scale=1, region_bound="auto", selection="least-cost")
    assert not np.array_equal(policy.chunk(observations, steps=0), by_old_names)
    policy.configure(num_candidates=2, guidance_scale=0.5, selection="region", region_bound=1.5)
    assert (policy.candidates, policy.guidance) == (2, 0.5)
    np.testing.assert_array_equal(policy.chunk(observations, steps=0), by_old_names)
    policy.configure(num_candidates=None)
    assert policy.candidates == 2


def test_a_policy_without_critics(robot_data, cloned_run, robot_policy):
    policy = r2pac.Policy.load(cloned_run, threads=1)
    assert (policy.method, policy.threshold, policy.candidates) == ("cloning", None, 1)
    assert (robot_policy.method, type(robot_policy.threshold)) == ("r2pac", float)
    assert policy.settings["hidden"] == CLONING["hidden"]
    observations = robot_data.observations[:5]
    assert policy.act_batch(observations).shape == (5, 2)
    with pytest.raises(r2pac.UsageError, match="method `cloning` has no values"):
        policy.values(observations)
    with pytest.raises(r2pac.SettingsError, match="method `cloning` has no critics"):
        policy.configure(candidates=2)


def test_threads_may_share_a_policy(robot_data, robot_policy):
    observations = robot_data.observations[:64]
    expected = [robot_policy.act_batch(observations, steps=step) for step in range(20)]
    found: dict[int, np.ndarray] = {}

    def act(steps):
        for step in steps:
            found[step] = robot_policy.act_batch(observations, steps=step)

    threads = [threading.Thread(target=act, args=(range(first, 20, 4),)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for step in range(20):
        np.testing.assert_array_equal(found[step], expected[step])


def test_no_number_depends_on_the_number_of_threads(robot_data, robot_run, robot_policy):
    many = r2pac.Policy.load(robot_run, threads=3)
    observations = robot_data.observations[:100]
    np.testing.assert_array_equal(many.act_batch(observations), robot_policy.act_batch(observations))


def test_a_bad_policy_file_is_refused(robot_run, tmp_path):
    whole = (robot_run / "policy.safetensors").read_bytes()
    damaged = tmp_path / "policy.safetensors"
    damaged.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(r2pac.CheckpointError) as caught:
        r2pac.Policy.load(damaged)
    assert caught.value.where == str(damaged)
    with pytest.raises(r2pac.UsageError, match="device"):
        r2pac.Policy.load(robot_run, device="gpu")
    with pytest.raises(r2pac.UsageError, match="threads"):
        r2pac.Policy.load(robot_run, threads=-1)


def relu(x):
    return np.maximum(x, 0)


def network(tensors, name, x, activation, member=None):
    """What the network of a policy file says of x, with the weights of one of its members, if it has several."""
    layers = sum(key.startswith(f"{name}.") and key.endswith(".weight") for key in tensors)
    for i in range(layers):
        weight, bias = (tensors[f"{name}.{i}.{part}"] for part in ("weight", "bias"))
        weight, bias = (weight, bias) if member is None else (weight[member], bias[member])
        x = (activation(x) if i else x) @ weight.reshape(x.shape[1], -1) + bias
    return x


def test_caps_switches_between_its_heads_by_cost_and_step(robot_data, tmp_path):
    from safetensors.numpy import load_file

    settings = CLONING | {"method": "caps", "heads": 3, "cost_limit": 100.0, "cost_scale": 20, "steps": 300}
    settings |= {"learning_rate": 0.003}
    r2pac.train(settings, robot_data, out=tmp_path / "caps", threads=1)
    policy = r2pac.Policy.load(tmp_path / "caps", threads=1)
    tensors = {k: v.astype(np.float64) for k, v in load_file(tmp_path / "caps/policy.safetensors").items()}
    kappa, gamma, longest = 100.0, policy.settings["discount"], tensors["episode_steps"][0]

    def net(name, x, member=None):
        return network(tensors, name, x, relu, member)

    seen = robot_data.observations[::9].astype(np.float64)
    features = np.maximum(net("trunk", seen), 0)
    heads = [np.tanh(net("mean", features, k)) for k in range(3)]
    cost, reward = (
        np.array([extreme([net(q, np.hstack([seen, a]), k)[:, 0] for k in range(2)], axis=0) for a in heads])
        for q, extreme in (("q_c", np.max), ("q_r", np.min))
    )
    rows, chosen = np.arange(len(seen)), set()
    for step, quantile in ((0, 0.2), (40, 0.5), (99, 0.8), (3, None), (150, 0.5)):
        left = max(longest - step, 1)
        unit = 20 * (1 - gamma**left) / ((1 - gamma) * left)  # of what is left, as a value
        spent = kappa + 1 if quantile is None else kappa - max(np.quantile(cost, quantile), 0) / unit
        limit = max(kappa - spent, 0) * unit
        within = np.where(cost < limit, reward, -np.inf).argmax(0)
        best = np.where((cost < limit).any(0), within, cost.argmin(0))
        actions = policy.act_batch(seen.astype(np.float32), steps=step, spent=spent)
        # Where two heads have nearly equal scores, single precision may take the other.
        same = np.abs(actions - np.array(heads)[best, rows]).max(1) < 1e-4
        assert same.mean() > 0.97
        chosen.add(tuple(best))
    assert len(chosen) > 1
    policy.reset()
    first, later = (policy.act(seen[0].astype(np.float32), spent=0.0) for _ in range(2))
    np.testing.assert_array_equal(first, policy.act_batch(seen[:1].astype(np.float32), steps=0, spent=0.0)[0])
    np.testing.assert_array_equal(later, policy.act_batch(seen[:1].astype(np.float32), steps=1, spent=0.0)[0])


def test_fisor_denoises_what_its_file_says(robot_data, tmp_path):
    from safetensors.numpy import load_file

    settings = CLONING | {"method": "fisor", "num_candidates": 4, "actor_hidden": [8, 8]}
    r2pac.train(settings, robot_data, out=tmp_path / "fisor", threads=1)
    tensors = load_file(tmp_path / "fisor/policy.safetensors")
    t64 = {name: value.astype(np.float64) for name, value in tensors.items()}

    def net(name, x, activation, member=None):
        return network(t64, name, x, activation, member)

    def mish(x):
        return x * np.tanh(np.logaddexp(x, 0))

    observation, noise = t64["example.observation"], t64["example.noise"].reshape(5, 4, -1)
    i = np.arange(1, 6)
    alpha = np.exp(-0.1 / 5 - 0.5 * 9.9 * (2 * i - 1) / 25)
    x = noise[0]
    seen = np.repeat((observation - t64["observation_mean"])[None] * t64["observation_scale"], 4, axis=0)
    for k, t in enumerate(range(4, -1, -1)):
        turns = 2 * np.pi * t * t64["frequencies"]
        embedded = net("time", np.concatenate([np.cos(turns), np.sin(turns)])[None], mish)
        y = net("entrance", np.hstack([x, seen, np.repeat(embedded, 4, axis=0)]), mish)
        for block in ("block_0", "block_1"):
            unit = (y - y.mean(1, keepdims=True)) / np.sqrt(y.var(1, keepdims=True) + 1e-6)
            y = y + net(block, unit * t64[f"{block}.norm.gain"] + t64[f"{block}.norm.bias"], mish)
        predicted = net("exit", mish(y), mish)
        x = (x - (1 - alpha[t]) / np.sqrt(1 - alpha[: t + 1].prod()) * predicted) / np.sqrt(alpha[t])
        x = np.clip(x + (np.sqrt(1 - alpha[t]) * noise[k + 1] if t else 0), -1, 1)
    cost = np.max([net("q_c", np.hstack([seen, x]), lambda v: np.maximum(v, 0), k)[:, 0] for k in range(2)], axis=0)
    # Five steps of single precision on numbers of order one.
    np.testing.assert_allclose(tensors["example.chunk"].ravel(), x[cost.argmin()], atol=1e-4)
    policy = r2pac.Policy.load(tmp_path / "fisor", threads=1)
    assert policy.candidates == 4
    assert policy.threshold == 0
    actions = policy.act_batch(robot_data.observations[:9])
    assert np.abs(actions).max() <= 1 and np.abs(actions).max() > 0


def test_bcrl_acts_by_what_the_budget_leaves_beyond_the_cost(robot_data, tmp_path):
    from safetensors.numpy import load_file

    settings = CLONING | {"method": "bcrl", "cost_limit": 100.0, "initializer": "torch", "steps": 300}
    settings |= {"learning_rate": 0.003}
    r2pac.train(settings, robot_data, out=tmp_path / "bcrl", threads=1)
    policy = r2pac.Policy.load(tmp_path / "bcrl", threads=1)
    tensors = {k: v.astype(np.float64) for k, v in load_file(tmp_path / "bcrl/policy.safetensors").items()}
    gamma, longest = policy.settings["discount"], tensors["episode_steps"][0]
    greatest = tensors["greatest_budget"][0]

    def net(name, x, member=None):
        for i in range(9):
            if f"{name}.{i}.weight" not in tensors:
                return x
            weight, bias = (tensors[f"{name}.{i}.{part}"] for part in ("weight", "bias"))
            weight, bias = (weight, bias) if member is None else (weight[member], bias[member])
            x = (np.maximum(x, 0) if i else x) @ weight.reshape(x.shape[1], -1) + bias
            if f"{name}.{i}.norm.gain" in tensors:  # before the activation
                x = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-6)
                x = x * tensors[f"{name}.{i}.norm.gain"] + tensors[f"{name}.{i}.norm.bias"]

    def believed(name, extreme, *parts):
        return extreme([net(name, np.hstack(parts), k)[:, 0] for k in range(2)], axis=0)

    given = robot_data.observations[::9]
    seen = (given - tensors["observation_mean"]) * tensors["observation_scale"]
    v_cost = net("v_c", seen)[:, 0]
    safe = np.tanh(net("safe_mean", np.maximum(net("safe_trunk", seen), 0)))
    saving = set()
    for step, quantile in ((0, 0.2), (40, 0.5), (99, 0.8), (3, None), (150, 0.5)):
        left = max(longest - step, 1)
        unit = (1 - gamma**left) / ((1 - gamma) * left)  # of what is left, as a value
        spent = 101 if quantile is None else 100 - max(np.quantile(v_cost, quantile) + 0.5, 0) / unit
        budget = min(max(100 - spent, 0) * unit, greatest)
        surplus = np.maximum(budget - v_cost, 0)[:, None]
        free = np.tanh(net("mean", np.maximum(net("trunk", np.hstack([seen, surplus])), 0)))
        expected = np.where(surplus < 0.1, safe, free)
        actions = policy.act_batch(given, steps=step, spent=spent)
        # Where the surplus is nearly the least one, single precision may take the other actor.
        same = np.abs(actions - expected).max(1) < 1e-4
        assert same.mean() > 0.97
        saving |= set((surplus < 0.1).ravel())
    assert len(saving) == 2
    budget = min(100 * (1 - gamma**longest) / ((1 - gamma) * longest) / 5, greatest)  # as nobody counts
    actions = robot_data.actions[::9]
    v_r, v_c, _, q_r, q_c = policy.values(given, actions[:, None])  # chunks of one action
    np.testing.assert_allclose(v_c, v_cost, atol=1e-3)
    np.testing.assert_allclose(v_r, net("v_r", np.hstack([seen, np.maximum(budget - v_cost, 0)[:, None]]))[:, 0], atol=1e-3)
    q_cost = believed("q_c", np.max, seen, actions)
    np.testing.assert_allclose(q_c, q_cost, atol=1e-3)
    surplus = np.maximum(budget - q_cost, 0)[:, None]
    np.testing.assert_allclose(q_r, believed("q_r", np.min, seen, surplus, actions), atol=1e-3)


@pytest.mark.parametrize(
    ("method", "networks"), [("bc", ["mean"]), ("cpq", ["trunk", "mean"]), ("coptidice", ["trunk", "mean"])]
)
def test_published_methods_act_by_their_networks(robot_data, tmp_path, method, networks):
    from safetensors.numpy import load_file

    settings = CLONING | {"method": method, "vae_hidden": [8, 8]}
    r2pac.train(settings, robot_data, out=tmp_path / method, threads=1)
    policy = r2pac.Policy.load(tmp_path / method, threads=1)
    observations = robot_data.observations[:7]
    tensors = load_file(tmp_path / method / "policy.safetensors")
    layers = [name for net in networks for name in sorted(tensors) if name.startswith(net + ".") and "weight" in name]
    x = observations.astype(np.float64)
    for name in layers:
        x = x @ tensors[name].reshape(x.shape[1], -1) + tensors[name.replace("weight", "bias")]
        x = np.tanh(x) if name == layers[-1] else np.maximum(x, 0)
    # In single precision a sum of 24 numbers of order one is off by some 1e-6.
    np.testing.assert_allclose(policy.act_batch(observations), x, atol=1e-5)
    assert np.abs(x).max() > 0.01
    with pytest.raises(r2pac.SettingsError, match="no critics"):
        policy.configure(candidates=2)
