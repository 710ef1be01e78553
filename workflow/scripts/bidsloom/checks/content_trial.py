"""A small trial of the content store: a file is sent there, asked for, and removed again."""

from __future__ import annotations

from uuid import uuid4

from ..base.errors import CommandError
from ..base.runners import call, call_annex, call_git, call_git_success
from ..config import Study
from ..datasets.annex import annex_branch
from ..datasets.content_store import check_credentials, content_failure
from ..datasets.output_datasets import OutputDataset
from ..datasets.thin_clones import CLONE, annex_steps, remotes_of
from .findings import Caution
from .trial_folder import trial_folder


def try_content(study: Study, output: OutputDataset) -> str:
    """Send a file of a few bytes to the content store, as a job does; return what was done.

    Raises `WorkflowFailure` where it does not arrive, and `Caution` where it
    cannot be removed again, or the store is not made yet.
    """
    store = output.store
    check_credentials(store)
    made = ["config", f"remote.{store.content_remote}.annex-uuid"]
    if not (output.dataset.exists() and annex_branch(output.dataset)) or not call_git_success(
        made, cwd=output.dataset
    ):
        raise Caution(
            "The content store is not made yet.",
            hint="snakemake --cores 1 prepare_study makes it; then check again.",
        )
    with trial_folder(study) as folder:
        clone = folder / "dataset"
        own = ["--origin", "study", *remotes_of(output.dataset)]
        try:
            call([*CLONE, *own, str(output.dataset), str(clone)], cwd=folder)
            for step in annex_steps("clone", output.dataset, clone, keys=[]):
                call(step.argv, cwd=step.cwd)
            (folder / "probe").write_text(f"bidsloom's check {uuid4()}\n")
            key = call_annex(["calckey", "--", str(folder / "probe")], cwd=clone)
            call_annex(["setkey", key, str(folder / "probe")], cwd=clone)
            call_annex(["copy", "-q", f"--key={key}", "--to", store.content_remote], cwd=clone)
            call_annex(["checkpresentkey", key, store.content_remote], cwd=clone)
        except CommandError as e:
            raise content_failure(store, e.stderr) from e
        drop = ["annex", "drop", "-q", "--force", f"--key={key}", "--from", store.content_remote]
        try:
            call_git(drop, cwd=clone)
        except CommandError as e:
            raise Caution(
                f"The file {key} cannot be removed from the content store.",
                hint="allow removing there, or remove it by hand; results are not concerned.",
            ) from e
    return f"a file was sent to {dict(store.content)['type']} and found there"
