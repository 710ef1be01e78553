"""Settings of a user's account that must not reach the study's repositories."""

from __future__ import annotations

# Name -> value, as `git config` takes them; {home} is the account's home.
HOSTILE = {
    "annex.adjustedbranchrefresh": "1",
    "annex.addunlocked": "true",
    "annex.autocommit": "false",
    "annex.autoupgraderepository": "false",
    "annex.backend": "URL",
    "annex.bloomcapacity": "10",
    "annex.crippledfilesystem": "true",
    "annex.delayadd": "5",
    "annex.diskreserve": "1000 TB",
    "annex.dotfiles": "false",
    "annex.expireunused": "now",
    "annex.genmetadata": "true",
    "annex.gitaddtoannex": "false",
    "annex.hardlink": "true",
    "annex.jobs": "64",
    "annex.largefiles": "nothing",
    "annex.maxextensionlength": "0",
    "annex.numcopies": "7",
    "annex.pidlock": "true",
    "annex.private": "false",
    "annex.retry": "100",
    "annex.securehashesonly": "true",
    "annex.skipunknown": "true",
    "annex.stalldetection": "1KB/1s",
    "annex.supportunlocked": "false",
    "annex.synccontent": "false",
    "annex.thin": "true",
    "annex.tune.objecthash1": "true",
    "annex.verify": "false",
    "apply.whitespace": "error",
    "branch.autosetuprebase": "always",
    "clean.requireforce": "true",
    "clone.defaultremotename": "elsewhere",
    "clone.rejectshallow": "true",
    "color.ui": "always",
    "commit.cleanup": "scissors",
    "commit.gpgsign": "true",
    "commit.status": "false",
    "commit.template": "{home}/template",
    "commit.verbose": "true",
    "core.abbrev": "4",
    "core.attributesfile": "{home}/attributes",
    "core.autocrlf": "true",
    "core.commentchar": "B",
    "core.compression": "9",
    "core.editor": "false",
    "core.eol": "crlf",
    "core.excludesfile": "{home}/ignore",
    "core.filemode": "false",
    "core.fsmonitor": "{home}/hooks/pre-commit",
    "core.hookspath": "{home}/hooks",
    "core.ignorecase": "true",
    "core.pager": "false",
    "core.precomposeunicode": "true",
    "core.quotepath": "false",
    "core.safecrlf": "true",
    "core.sharedrepository": "0600",
    "core.sparsecheckout": "true",
    "core.splitindex": "true",
    "core.symlinks": "false",
    "core.untrackedcache": "true",
    "core.whitespace": "cr-at-eol",
    "datalad.annex.retry": "100",
    "datalad.locations.locks": "{home}/hooks/pre-commit",
    "datalad.runtime.max-annex-jobs": "99",
    "datalad.save.no-message": "interactive",
    "diff.external": "false",
    "diff.ignoresubmodules": "all",
    "diff.noprefix": "true",
    "diff.renames": "copies",
    "feature.manyfiles": "true",
    "fetch.fsckobjects": "true",
    "fetch.prune": "false",
    "filter.annex.clean": "false",
    "filter.lfs.clean": "false",
    "format.pretty": "oneline",
    "gc.auto": "1",
    "gpg.program": "false",
    "i18n.commitencoding": "latin1",
    "i18n.logoutputencoding": "utf-16",
    "include.path": "{home}/included",
    "index.version": "4",
    "init.defaultbranch": "trunk",
    "init.templatedir": "{home}/templates",
    "log.decorate": "full",
    "log.follow": "true",
    "log.mailmap": "true",
    "log.showsignature": "true",
    "merge.ff": "only",
    "merge.renames": "false",
    "pack.packsizelimit": "1m",
    "protocol.version": "0",
    "pull.rebase": "true",
    "push.default": "nothing",
    "push.followtags": "true",
    "push.gpgsign": "true",
    "receive.denycurrentbranch": "refuse",
    "receive.denydeletes": "true",
    "receive.denynonfastforwards": "true",
    "receive.fsckobjects": "true",
    "remote.pushdefault": "elsewhere",
    "safe.barerepository": "explicit",
    "status.showuntrackedfiles": "no",
    "status.submodulesummary": "true",
    "submodule.recurse": "true",
    "tag.gpgsign": "true",
    "trailer.separators": "=",
    "transfer.fsckobjects": "true",
    "transfer.hiderefs": "refs/heads/job",
    "user.useconfigonly": "true",
}
# What of a user's settings holds: who they are, and how a place is reached.
HELPFUL = {
    "user.name": "Ana",
    "user.email": "ana@example.org",
    "credential.helper": "store",
    "credential.https://example.org.username": "ana",
    "url.ssh://git@example.org/.insteadof": "https://example.org/",
    "safe.directory": "*",
    "http.proxy": "http://localhost:3128",
    "http.https://example.org.sslcainfo": "/etc/ssl/certs/ca.pem",
    "core.sshcommand": "ssh -i key",
}


def write_account(home, settings: dict[str, str]) -> None:
    """An account with these settings, and the files that they name: a hook that fails, and more."""
    from .studies import run

    (home / "hooks").mkdir(parents=True)
    (home / "templates" / "hooks").mkdir(parents=True)
    for folder in (home / "hooks", home / "templates" / "hooks"):
        for name in ("pre-commit", "commit-msg", "post-checkout", "pre-push", "post-index-change"):
            (folder / name).write_text("#!/bin/sh\necho a hook ran >&2\nexit 1\n")
            (folder / name).chmod(0o755)
    ignored = "*.nii.gz\n*.html\n*.json\n*.log\n.datalad\nsub-*\n"
    (home / "ignore").write_text(ignored)
    (home / ".config" / "git").mkdir(parents=True)
    (home / ".config" / "git" / "ignore").write_text(ignored)
    (home / ".config" / "git" / "attributes").write_text("* text eol=crlf\n")
    (home / "attributes").write_text("* text eol=crlf filter=lfs\n")
    (home / "template").write_text("# a template\nBidsloom-Unit: sub-99\n")
    (home / "included").write_text("[commit]\n\tgpgsign = true\n")
    file = home / ".gitconfig"
    for name, value in settings.items():
        run("git", "config", "--file", file, name, value.format(home=home), cwd=home)
