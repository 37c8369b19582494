"""Workers: answers in any order, deaths that cost a task at most, and nothing left behind."""

import contextlib
import os
import sys
from collections import Counter

import deadly
import pytest
from processes import is_alive, wait_until

from implicitbias.errors import InputError
from implicitbias.sweep import workers
from implicitbias.sweep.pool import Inline, WorkerDied, outcomes
from implicitbias.sweep.workers import Processes, open_pool


def answers(pool, tasks, folder) -> dict:
    """The answer to each task by its pieces."""
    with contextlib.closing(pool):
        found = [(tuple(task), answer) for task, answer in outcomes(pool, deadly.work, tasks, str(folder))]
    assert max(Counter(task for task, _ in found).values()) == 1
    return dict(found)


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_task_is_answered_once(tmp_path, jobs):
    found = answers(open_pool(jobs, "local", None), [[k, k] for k in range(200)], tmp_path)
    assert found == {(k, k): [2 * k, 2 * k] for k in range(200)}


def test_no_tasks_no_workers(tmp_path):
    pool = Processes(2)
    with contextlib.closing(pool):
        assert list(outcomes(pool, deadly.work, [], "")) == []
    assert all(worker._process is None for worker in pool._workers)


def test_a_worker_that_dies_takes_its_task_once(tmp_path):
    found = answers(Processes(2), [["a"], ["die once"], ["b", "c"], ["d"]], tmp_path)
    assert found == {("a",): ["aa"], ("die once",): ["die oncedie once"], ("b", "c"): ["bb", "cc"], ("d",): ["dd"]}


def test_what_kills_workers_is_told_apart_from_its_company(tmp_path):
    found = answers(Processes(2), [["a", "die", "b"], ["c"], ["exit"], *([k] for k in range(9))], tmp_path)
    deaths = {task: str(answer) for task, answer in found.items() if isinstance(answer, WorkerDied)}
    assert deaths == {("die",): "killed by SIGKILL", ("exit",): "with exit code 3"}
    assert {task: answer for task, answer in found.items() if task not in deaths} == {
        ("a",): ["aa"], ("b",): ["bb"], ("c",): ["cc"], **{(k,): [2 * k] for k in range(9)},
    }  # fmt: skip


@pytest.mark.parametrize("pool", [Inline, lambda: Processes(2)])
def test_an_exception_is_the_answer_of_its_task(tmp_path, pool):
    found = answers(pool(), [["raise"], ["a"]], tmp_path)
    assert found[("a",)] == ["aa"]
    assert isinstance(found[("raise",)], Exception) and "Strange" in repr(found[("raise",)])


def test_what_a_task_prints_is_not_an_answer(tmp_path, capfd):
    found = answers(Processes(2), [["print", "write"], ["a"]], tmp_path)
    assert found == {("print", "write"): ["printprint", "writewrite"], ("a",): ["aa"]}
    out, err = capfd.readouterr()
    assert out == "" and "a word on standard output" in err and "another" in err


def test_workers_import_what_the_process_imports_and_use_one_thread(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with contextlib.closing(Processes(2)) as pool:
        ((_, (threads, path)),) = outcomes(pool, deadly.settings, [["a"]], "OMP_NUM_THREADS")
    assert threads == "1" and path == sys.path


def test_closing_ends_workers_in_the_middle_of_a_task(tmp_path):
    pool = Processes(2)
    with contextlib.closing(pool):
        future = pool.submit(deadly.work, ["sleep"], str(tmp_path))
        mark = tmp_path / "sleep"
        wait_until(lambda: mark.exists() and mark.read_text())
    assert isinstance(future.exception(), WorkerDied)
    assert not os.path.isdir(f"/proc/{mark.read_text()}") or not is_alive(int(mark.read_text()))
    pool.close()  # again does no harm
    with pytest.raises(RuntimeError):
        pool.submit(deadly.work, ["a"], "")


def test_workers_that_do_not_start_are_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(workers, "_BOOT", "import os; os._exit(9)")
    with pytest.raises(InputError, match="3 in a row ended before they were ready, the last one with exit code 9; "):
        answers(Processes(2), [["a"], ["b"]], tmp_path)


@pytest.mark.parametrize(
    ("backend", "scheduler", "sentence"),
    [
        ("spark", None, "--backend must be local or dask, but is 'spark'"),
        ("local", "tcp://127.0.0.1:8786", "--scheduler tcp://127.0.0.1:8786 needs --backend dask"),
        ("dask", None, "--backend dask needs --scheduler, the address that `dask scheduler` prints"),
    ],
)
def test_backends_and_schedulers_that_do_not_go_together(backend, scheduler, sentence):
    with pytest.raises(InputError) as caught:
        open_pool(2, backend, scheduler)
    assert caught.value.mistakes == [sentence]
