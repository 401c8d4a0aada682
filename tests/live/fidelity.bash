# SPDX-License-Identifier: GPL-2.0-or-later
#
# Holds the requests of a real guest against those of a simulated one, step by step; a step is one
# op of an op script, with all requests issued until the next op begins.

# What was sent in each step: what tasks waited for in its order, then background requests sorted,
# as their order and moment is a matter of timing.
# With FIDELITY_TOTALS=1 (writeback) the flusher's moment decides into which WRITEs dirty pages fall and
# before which step: those WRITEs and the SETATTRs before them are left to compare_totals.
# stdin: vfscope export's JSON lines
steps() { # TIMED_OPS STARTS_JSON
	local ops
	ops=$(sed -nE '/^#|^file|^sleep|^$/d; s/^@[0-9]+ns //p' "$1" | jq -R . | jq -sc .)
	jq -rs --argjson totals "${FIDELITY_TOTALS:-0}" --argjson ops "$ops" --argjson starts "$2" '
		def line: "     \(.opcode)" + (if .opcode == "READ" or .opcode == "WRITE"
			then " off=\(.offset) sz=\(.size) \(.class)" else "" end) + " sg=\(.sg_out)+\(.sg_in)";
		map(select(.type == "request" and .opcode != "INIT" and .opcode != "DESTROY"
			and ($totals == 0 or (.class != "writeback" and .opcode != "SETATTR")) and .t_issue_ns >= $starts[0])) | sort_by(.t_issue_ns, .unique) | . as $all
		| range($starts | length) as $i
		| ($all | map(select(.t_issue_ns >= $starts[$i] and
			($i + 1 == ($starts | length) or .t_issue_ns < $starts[$i + 1])))) as $here
		| "== \($i + 1): \($ops[$i])",
		  ($here | map(select(.flags | index("background") | not) | line) | .[]),
		  ($here | map(select(.flags | index("background"))) | sort_by(.offset, .size) | map(line) | .[])'
}

# Runs the script on the share and in the simulator; prints the first difference.
# Files: DIR/real.ops (with times), DIR/real.txt, DIR/sim.txt
compare_script() { # SCRIPT DIR SIMULATE_OPTIONS...
	local script=$1 dir=$2 name size first starts
	mkdir -p "$dir"
	while read -r _ name size; do
		rm -f "$VM_SHARE/$name"
		[[ ${size:-0} = 0 ]] || truncate -s "$size" "$VM_SHARE/$name"
	done < <(grep '^file ' "$script")
	cp "$script" "$VM_DIR/script.ops"
	# A mount of its own: the kernel remembers what the daemon does not know, and writeback rates.
	guest sh -c 'umount /mnt/vfs && mount -t virtiofs vfs /mnt/vfs && sleep 1.1' || return 1
	guest "$TOP/build/vfscope" record --guest --mount /mnt/vfs --strict -o /run/lab/trace.vft -- \
		sh -c "'$TOP/build/tests/tools/run_ops' /mnt/vfs /run/lab/script.ops 15ms >/run/lab/real.ops" \
		>"$dir/record.log" 2>&1 || { cat "$dir/record.log"; return 1; }
	cp "$VM_DIR/real.ops" "$dir/real.ops"
	first=$(sed -n 's/^# start //p' "$dir/real.ops")
	starts=$(sed -nE 's/^@([0-9]+)ns .*/\1/p' "$dir/real.ops" | jq -sc "map(. + $first)")
	"$TOP/build/vfscope" export "$VM_DIR/trace.vft" >"$dir/real.json" || return 1
	steps "$dir/real.ops" "$starts" <"$dir/real.json" >"$dir/real.txt" || return 1
	# Attributes age from their reply on, so replies must take about as long as they did.
	simulate_script "$dir/real.ops" "$dir" "${@:3}" \
		--set service.default.cpu="const $(metadata_latency "$dir/real.json")ns" || return 1
	first_difference "$dir/real.txt" "$dir/sim.txt" || return 1
	[[ -z ${FIDELITY_TOTALS-} ]] || compare_totals "$dir/real.json" "$dir/sim.json"
}

# What writeback sent over the whole script: bytes within 10 %, WRITEs and SETATTRs within 25 % and 3.
compare_totals() { # REAL_JSONL SIMULATED_JSONL
	local sums='map(select(.type == "request")) | {
		bytes: (map(select(.class == "writeback") | .size) | add // 0),
		writes: (map(select(.class == "writeback")) | length),
		setattrs: (map(select(.opcode == "SETATTR")) | length)}'
	jq -n --argjson real "$(jq -sc "$sums" "$1")" --argjson sim "$(jq -sc "$sums" "$2")" '
		def near($share; $count): (.[0] - .[1] | fabs) <= ([$share * .[0], $count] | max);
		{real: $real, simulated: $sim,
		 near: (([$real.bytes, $sim.bytes] | near(0.10; 0)) and
			([$real.writes, $sim.writes] | near(0.25; 3)) and
			([$real.setattrs, $sim.setattrs] | near(0.25; 3)))}' >"${1%/*}/totals.json"
	[[ $(jq .near "${1%/*}/totals.json") = true ]] || { cat "${1%/*}/totals.json"; return 1; }
}

metadata_latency() { # EXPORT_JSONL
	jq -s 'map(select(.type == "request" and (.opcode | IN("LOOKUP", "CREATE", "GETATTR"))) |
		.latency_ns) | add / length | floor' "$1"
}

simulate_script() { # TIMED_OPS DIR OPTIONS...
	local starts
	"$TOP/build/vfscope" simulate "$1" --requests "$2/sim.json" "${@:3}" >"$2/sim.log" || return 1
	starts=$(jq -sc 'map(select(.type == "op") | .t_start_ns) | sort' "$2/sim.json")
	steps "$1" "$starts" <"$2/sim.json" >"$2/sim.txt"
}

first_difference() { # REAL SIMULATED
	local where
	where=$(cmp "$1" "$2" 2>&1 | sed -n 's/.* line //p; s/^cmp: EOF.*/end/p')
	[[ -n $where ]] || return 0
	echo "first difference between real (-) and simulated (+) requests:"
	diff -U 12 "$1" "$2" | sed -n '1,60p'
	return 1
}
