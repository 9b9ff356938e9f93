"""The notebook of examples/ runs from its first cell to its last, and finds what its text says.

With R2PAC_WRITE_NOTEBOOK=1 the outputs of this run are stored in it; that is how those that it shows were made:

    R2PAC_WRITE_NOTEBOOK=1 .venv/bin/python -m pytest python/tests/test_notebook.py
"""

import json
import os
from pathlib import Path

import pytest

pytest.importorskip("r2pac._core", reason="the extension is not installed")
nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
for package in ("ipykernel", "matplotlib", "gymnasium"):
    pytest.importorskip(package)

NOTEBOOK = Path(__file__).parents[1] / "examples" / "first_policy.ipynb"

FINDINGS = """import json
print(json.dumps({
    "data": [data.episode_returns.mean(), data.episode_costs.mean()], "warnings": data.warnings,
    "values": [float(over_the_top), float(at_the_neck)],
    "scores": {limit: [earned.mean(), spent.mean(), spent.max()] for limit, (earned, spent, _) in scores.items()},
}))"""


def texts(cell) -> str:
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def test_it_shows_what_a_run_printed():
    cells = nbformat.read(NOTEBOOK, 4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert {output.output_type for output in outputs} == {"stream", "display_data"}
    assert {output.name for output in outputs if output.output_type == "stream"} == {"stdout"}
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 2
    assert NOTEBOOK.stat().st_size < 300_000


def test_it_runs_and_finds_what_it_says(tmp_path):
    notebook = nbformat.read(NOTEBOOK, 4)
    cells = len(notebook.cells)
    notebook.cells.append(nbformat.v4.new_code_cell(FINDINGS))
    nbclient.NotebookClient(notebook, timeout=500, resources={"metadata": {"path": tmp_path}}).execute()
    found = json.loads(texts(notebook.cells.pop()))
    assert found["warnings"] == []
    # Over the top nearly nothing is expected, before the neck about a passage, of 6 at least.
    over_the_top, at_the_neck = found["values"]
    assert over_the_top < 2 and at_the_neck > 4
    scores = {int(limit): score for limit, score in found["scores"].items()}
    assert list(scores) == [0, 2, 5, 10, 20]
    data_return, data_cost = found["data"]
    for limit in (0, 2):  # hardly ever pays: one of 100 steps at most, where the data pay ten
        assert scores[limit][1] <= 1 < data_cost
    earned, spent, most = scores[20]  # through the neck, which cannot cost less than 6
    assert earned > data_return and earned > scores[2][0]
    assert 6 <= spent and most <= 20
    assert "cost" in texts(next(cell for cell in notebook.cells if "this episode earned" in cell.source))

    if os.environ.get("R2PAC_WRITE_NOTEBOOK"):
        assert len(notebook.cells) == cells
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)  # times of day
        notebook.metadata = {"kernelspec": notebook.metadata.kernelspec, "language_info": {"name": "python"}}
        nbformat.write(notebook, NOTEBOOK)
