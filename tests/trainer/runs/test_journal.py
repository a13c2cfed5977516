"""The settings of an unfinished run, written and read."""

import json

from trainer.options import Options
from trainer.runs.journal import Journal, begin, read_journal
from trainer.runs.versions import versions

OPTIONS = Options(
    model="mobilenet_v2", image_size=32, epochs=1, patience=1, learning_rate=1e-3, cut="block_13_expand_relu"
)
JOURNAL = Journal("/photographs", OPTIONS, legacy_h5=False, fingerprint="0", versions=versions())


def test_a_run_is_resumed_with_its_own_cut(tmp_path):
    begin(tmp_path, JOURNAL)
    assert read_journal(tmp_path).options == OPTIONS


def test_a_run_of_a_version_without_cuts_is_resumed_with_the_whole_network(tmp_path):
    job = begin(tmp_path, JOURNAL) / "job.json"
    content = json.loads(job.read_text())
    del content["options"]["cut"]
    job.write_text(json.dumps(content))
    assert read_journal(tmp_path).options.cut == ""
