# SPDX-License-Identifier: GPL-2.0-or-later
#
# Holding what simulate prints of a textbook queue against its closed form. 'load queueing' brings
# ../cli/common too.

load ../cli/common

FORMS=$BATS_TEST_DIRNAME/closed-forms.csv
# Seeds are fixed, so nothing flickers; how often intervals hold over seeds is test_coverage.c.
SEED=1

# form KEY MEASURE: the closed form, in mean service times.
form() {
	awk -F, -v key="$1" -v measure="$2" '$1 == key && $2 == measure { print $3; found = 1 }
		END { exit !found }' "$FORMS"
}

# variant JOB NAME=VALUE...: a copy of a shipped job with these options changed; prints its path.
variant() {
	local out edit=(-e '')
	out=$(mktemp "$BATS_TEST_TMPDIR/XXXXXX.fio")
	local job=$1
	shift
	for change; do
		edit+=(-e "s/^${change%%=*}=.*/$change/")
	done
	sed "${edit[@]}" "workloads/$job.fio" >"$out"
	echo "$out"
}

# simulated JOB SETTING...: what simulate says of it, with means known to 2 %, in out.json.
simulated() {
	local job=$1 settings=()
	shift
	for setting; do
		settings+=(--set "$setting")
	done
	expect 0 "$VFSCOPE" simulate "$job" --precision 2% --seed "$SEED" -f json "${settings[@]}"
	echo "$output" >"$BATS_TEST_TMPDIR/out.json"
}

# holds KEY MEASURE UNIT [ROW]: of what was simulated last, the mean (W, R: in ns, UNIT is the service
# time), quantile (W_p50) or rate (X: UNIT is the service rate) of that row of estimates is known to
# 2 % with 99 % confidence, and the closed form lies in its interval.
holds() {
	local key=$1 measure=$2 unit=$3 row=${4:-0} name=mean_ns most=2 want
	case $measure in
	X) name=iops ;;
	W_p99.9) name=p999_ns most=10 ;;
	W_p*) name=${measure#W_}_ns most=5 ;;
	esac
	want=$(form "$key" "$measure")
	jq -r --argjson row "$row" --arg name "$name" \
		'.estimates.rows[$row][$name] | "\(.value) \(.half_width)"' \
		"$BATS_TEST_TMPDIR/out.json" >"$BATS_TEST_TMPDIR/field"
	awk -v want="$want" -v unit="$unit" -v most="$most" -v what="$key $measure" '{
		printf "%s: %g +- %g, closed form %g\n", what, $1 / unit, $2 / unit, want
		off = $1 / unit - want
		if (off < 0) off = -off
		exit !(off <= $2 / unit && $2 > 0 && $2 <= most / 100 * $1)
	}' "$BATS_TEST_TMPDIR/field"
}

# agrees KEY MEASURE UNIT JOB SETTING...: simulated and holds.
agrees() {
	local key=$1 measure=$2 unit=$3
	shift 3
	simulated "$@"
	holds "$key" "$measure" "$unit"
}

# near KEY MEASURE GOT SHARE: a figure without an interval of its own.
near() {
	awk -v want="$(form "$1" "$2")" -v got="$3" -v share="$4" -v what="$1 $2" 'BEGIN {
		printf "%s: %g, closed form %g\n", what, got, want
		exit !(got > (1 - share) * want && got < (1 + share) * want)
	}'
}

# per_service FILTER: a time of what was simulated last, in mean service times.
per_service() {
	jq "$1 / 100000" "$BATS_TEST_TMPDIR/out.json"
}
