"""Defects in a generated service are caught by the stage that is there for them."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.delivery.driver import Built


async def test_a_wrong_status_in_code_and_tests_alike_is_caught_by_e2e(
    todo: Built, tmp_path: Path
) -> None:
    misread = todo.delivery.plant(
        todo.commit,
        tmp_path / "code",
        {
            "todo/crud.py": ("Answer(201, stored", "Answer(200, stored"),
            "tests/test_todos.py": ("status == 201", "status == 200"),
        },
    )
    assert (await todo.delivery.validate(misread)).verdict == "ok"
    judged = await todo.delivery.try_out(misread)
    assert judged.verdict == "rework"
    assert str(judged.findings[0]) == "POST /todos: status expected 201, found 200"


async def test_a_wrong_answer_of_an_endpoint_is_caught_by_e2e(todo: Built, tmp_path: Path) -> None:
    wrong = todo.with_defect(tmp_path / "code", endpoints=('"/todos"', '"/to-dos"'))
    judged = await todo.delivery.try_out(wrong)
    assert [(each.code, each.where) for each in judged.findings] == [("body", "GET /")]


async def test_a_row_lost_by_a_restart_is_caught_by_e2e(todo: Built, tmp_path: Path) -> None:
    # SQLite keeps a database without a name in a temporary file.
    change = ("sqlite3.connect(path", 'sqlite3.connect(""')
    forgetful = todo.with_defect(tmp_path / "code", storage=change)
    assert (await todo.delivery.validate(forgetful)).verdict == "ok"
    judged = await todo.delivery.try_out(forgetful)
    assert {each.code for each in judged.findings} == {"lost"}


async def test_a_row_lost_by_the_list_is_caught_by_e2e(todo: Built, tmp_path: Path) -> None:
    lossy = todo.with_defect(
        tmp_path / "code", storage=("for row in rows]", "for row in rows[1:]]")
    )
    judged = await todo.delivery.try_out(lossy)
    assert ("lost", "GET /todos") in {(each.code, each.where) for each in judged.findings}


async def test_a_rule_that_is_not_kept_is_caught_by_e2e(todo: Built, tmp_path: Path) -> None:
    lax = todo.with_defect(tmp_path / "code", rules=("value > field.maximum", "value > 1000"))
    judged = await todo.delivery.try_out(lax)
    assert [each.where for each in judged.findings] == ["POST /todos with urgency too large"]


async def test_a_service_that_does_not_start_is_caught_by_e2e(todo: Built, tmp_path: Path) -> None:
    broken = todo.with_defect(
        tmp_path / "code", __main__=("options = parsed()", "raise SystemExit(7)")
    )
    judged = await todo.delivery.try_out(broken)
    assert [each.code for each in judged.findings] == ["no-start"]


async def test_a_lint_error_is_caught_by_validation(todo: Built, tmp_path: Path) -> None:
    untidy = todo.with_defect(tmp_path / "code", app=("def build", "import os\n\n\ndef build"))
    judged = await todo.delivery.validate(untidy)
    assert judged.verdict == "rework"
    assert {each.code for each in judged.findings} >= {"F401"}


async def test_code_that_does_not_compile_is_caught_by_validation(
    todo: Built, tmp_path: Path
) -> None:
    broken = todo.with_defect(tmp_path / "code", app=("def build(", "def build(("))
    judged = await todo.delivery.validate(broken)
    assert {each.tool for each in judged.findings} >= {"ruff", "compileall", "pytest"}


async def test_a_failing_test_is_caught_by_validation(todo: Built, tmp_path: Path) -> None:
    wrong = todo.with_defect(tmp_path / "code", crud=("Answer(204)", "Answer(200)"))
    judged = await todo.delivery.validate(wrong)
    assert [each.code for each in judged.findings] == ["failed"]
    assert judged.findings[0].where.endswith("test_a_record_is_removed")


async def test_low_coverage_is_caught_by_validation(todo: Built, tmp_path: Path) -> None:
    branch = '\n\ndef unused(value: int) -> int:\n    """Nobody calls this."""\n'
    body = "".join(f"    value += {number}\n" for number in range(100)) + "    return value\n"
    bloated = todo.with_defect(
        tmp_path / "code", app=("Router(routes)\n", f"Router(routes)\n{branch}{body}")
    )
    judged = await todo.delivery.validate(bloated)
    assert judged.coverage_percent < judged.required_percent
    assert judged.findings[0].code == "coverage"
    assert "app:unused" in {each.symbol for each in judged.findings}


async def test_deleted_tests_are_caught_by_validation(todo: Built, tmp_path: Path) -> None:
    files = ("service", "endpoints", "todos")
    untested = todo.delivery.plant(
        todo.commit,
        tmp_path / "code",
        {f"tests/test_{name}.py": ("def test_", "def check_") for name in files},
    )
    judged = await todo.delivery.validate(untested)
    assert "no-tests" in {each.code for each in judged.findings}
