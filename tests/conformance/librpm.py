"""What librpm says: a JSON value for each line of stdin. The argument is what is asked.

packages: paths in, documents of the form of `gander rpm show --format json` out. Digests and signatures are not
    verified. Text that is not UTF-8 is shown with escapes.
nevras: paths in, only the package's full name out.
versions: pairs of versions in, rpm's comparison of them (-1, 0, 1) out.
rich: pairs of a list ("Requires") and a dependency in, what rpmbuild makes of it out, or null where it refuses it.
"""
import base64
import json
import os
import sys
import tempfile

import rpm

ts = rpm.TransactionSet()
ts.setVSFlags(rpm._RPMVSF_NODIGESTS | rpm._RPMVSF_NOSIGNATURES)
# A file that is closed when Python ends would be one that librpm still writes to.
silence = open(os.devnull, "w")
rpm.setLogFile(silence)

def text(value):
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogateescape")
    return (value or b"").decode("utf-8", "backslashreplace")

def header(path):
    with open(path) as file:
        return ts.hdrFromFdno(file)

def nevra(h):
    source = h.isSource()
    arch = ("nosrc" if h["NOSOURCE"] or h["NOPATCH"] else "src") if source else text(h["ARCH"])
    return "%s-%s:%s-%s.%s" % (text(h["NAME"]), h["EPOCH"] or 0, text(h["VERSION"]), text(h["RELEASE"]), arch)

def read(path):
    h = header(path)
    def many(tag, count=None, default=0):
        value = h[tag]
        value = [] if value is None else value if isinstance(value, list) else [value]
        if count is not None and not value:
            value = [default] * count
        return [text(v) if isinstance(v, (str, bytes)) else v for v in value]
    def one(tag, default=""):
        value = h[tag]
        if isinstance(value, list):
            value = value[0] if value else None
        if value is None:
            return default
        return text(value) if isinstance(value, (str, bytes)) else value
    def relations(names, flags, evrs):
        names = many(names)
        return [dict(name=n, flags=f, evr=e) for n, f, e in zip(names, many(flags, len(names)), many(evrs, len(names), ""))]
    name = nevra(h)
    doc = dict(nevra=name, source=bool(h.isSource()), arch=name.rpartition(".")[2])
    for key, tag in dict(name="NAME", version="VERSION", release="RELEASE", summary="SUMMARY", description="DESCRIPTION", license="LICENSE",
            vendor="VENDOR", group="GROUP", url="URL", packager="PACKAGER", buildhost="BUILDHOST").items():
        doc[key] = one(tag)
    doc["epoch"] = one("EPOCH", None)
    doc["sourcerpm"] = one("SOURCERPM", None)
    doc["buildtime"] = one("BUILDTIME", 0)
    doc["installed_size"] = one("LONGSIZE", 0)
    doc["archive_size"] = one("LONGARCHIVESIZE", 0)
    for kind in "provide require conflict obsolete recommend suggest supplement enhance".split():
        T = kind.upper()
        doc[kind + "s"] = relations(T + "NAME", T + "FLAGS", T + "VERSION")
    doc["order"] = relations("ORDERNAME", "ORDERFLAGS", "ORDERVERSION")
    paths = many("FILENAMES")
    n = len(paths)
    numbers = dict(mode="FILEMODES", flags="FILEFLAGS", verify_flags="FILEVERIFYFLAGS", size="LONGFILESIZES", mtime="FILEMTIMES", colour="FILECOLORS",
        inode="FILEINODES", device="FILEDEVICES", rdev="FILERDEVS")
    texts = dict(user="FILEUSERNAME", group="FILEGROUPNAME", digest="FILEDIGESTS", link_to="FILELINKTOS", capabilities="FILECAPS", language="FILELANGS")
    columns = {key: many(tag, n, 0) for key, tag in numbers.items()}
    columns.update({key: many(tag, n, "") for key, tag in texts.items()})
    columns["path"] = paths
    doc["files"] = [{key: column[i] for key, column in columns.items()} for i in range(n)]
    algorithms = {1: "md5", 2: "sha1", 8: "sha256", 9: "sha384", 10: "sha512", 11: "sha224"}
    doc["file_digests"] = algorithms.get(one("FILEDIGESTALGO", 1))
    times = many("CHANGELOGTIME")
    doc["changelog"] = [dict(time=t, author=a, text=x) for t, a, x in zip(times, many("CHANGELOGNAME"), many("CHANGELOGTEXT"))]
    doc["scriptlets"] = []
    for moment in "pretrans prein postin preun postun posttrans verifyscript".split():
        T = moment.upper()
        body, program = one(T, None), many(T + "PROG")
        if body is not None or program:
            doc["scriptlets"].append(dict(moment=moment, program=program, body=body, flags=one(T + "FLAGS", 0)))
    doc["triggers"] = []
    for kind in "trigger", "filetrigger", "transfiletrigger":
        T = kind.upper()
        bodies = many(T + "SCRIPTS")
        programs, flags = many(T + "SCRIPTPROG"), many(T + "SCRIPTFLAGS", len(bodies))
        priorities = many(T + "PRIORITIES") if kind != "trigger" else []
        conditions, indexes = relations(T + "NAME", T + "FLAGS", T + "VERSION"), many(T + "INDEX")
        types = many(T + "TYPE")
        for i, body in enumerate(bodies):
            doc["triggers"].append(dict(kind=kind, moment=types[i], script=dict(program=programs[i:i + 1], body=body, flags=flags[i]),
                conditions=[c for c, at in zip(conditions, indexes) if at == i], priority=priorities[i] if priorities else None))
    doc["digests"] = []
    def digest(algorithm, covered, tag):
        value = one(tag, None)
        if value is not None:
            doc["digests"].append(dict(algorithm=algorithm, covered=covered, value=value))
    digest("sha1", "header", "SHA1HEADER")
    digest("sha256", "header", "SHA256HEADER")
    if h["SIGMD5"]:
        doc["digests"].append(dict(algorithm="md5", covered="header+payload", value=bytes(h["SIGMD5"]).hex()))
    payload = algorithms.get(one("PAYLOADDIGESTALGO", 8))
    digest(payload, "payload", "PAYLOADDIGEST")
    digest(payload, "archive", "PAYLOADDIGESTALT")
    doc["signatures"] = []
    for number, tag in (267, "DSAHEADER"), (268, "RSAHEADER"), (1002, "SIGPGP"), (1005, "SIGGPG"):
        if h[tag]:
            covered = "header" if number < 1000 else "header+payload"
            packet = base64.b64encode(bytes(h[tag])).decode()
            doc["signatures"].append(dict(tag=number, covered=covered, packet=packet))
    return doc

def package(path, read=read):
    try:
        return read(path)
    except rpm.error as error:
        return dict(refused=str(error))

def name(path):
    return package(path, lambda path: dict(nevra=nevra(header(path))))

SPEC = """Name: a
Version: 1
Release: 1
Summary: a
License: a
BuildArch: noarch
%s: %s
%%description
%%files
"""

def rich(question):
    name, text = question
    with tempfile.NamedTemporaryFile("w", suffix=".spec") as file:
        file.write(SPEC % (name, text))
        file.flush()
        try:
            spec = rpm.spec(file.name)
        except ValueError:
            return None
    return spec.packages[0].header[name.upper()[:-1] + "NAME"]

def versions(pair):
    return rpm.labelCompare(*(("0", version, "0") for version in pair))

answer = dict(packages=package, nevras=name, versions=versions, rich=rich)[sys.argv[1]]
for line in sys.stdin:
    print(json.dumps(answer(json.loads(line)), sort_keys=True))
