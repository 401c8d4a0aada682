# Compares what jobs.jq told: $real with the simulated job, request by request or, if ops are drawn ($drawn),
# counts and bytes within 10 %, what was read ahead within 25 % (the sum of few windows), and not syncs,
# which fio repeats as chance has it; and with the replay of the recorded ops, request by request ($replay null: none).
def near($key; $a; $b): ($a - $b | fabs) <= (if $key == "READ" then 0.25 else 0.1 end) * $a;
def data: with_entries(select(.key | startswith("FSYNC") | not));
def lines($what; $r; $s): ($r - $s) as $less | ($s - $r) as $more
	| if $r == $s then empty else "== \($what): \($less | length) requests only real, \($more | length) only simulated\n"
		+ ($less[:6] | map("-    \(.)\n") | add // "") + ($more[:6] | map("+    \(.)\n") | add // "")
		+ (if $less == [] and $more == [] then "some more often than others: \($r | length) real, \($s | length) simulated\n" else "" end) end;
def pages($what; $r; $s): if $r == $s then empty else
	"== \($what): pages written back differ: \($r | map(length)) real, \($s | map(length)) simulated\n" end;
def counts($r; $s): if ($r | keys) == ($s | keys) and ($r | to_entries | all(near(.key; .value.nr; $s[.key].nr) and
	near(.key; .value.bytes; $s[.key].bytes))) then empty else "== counts: \($r), simulated \($s)\n" end;
[if $drawn then counts($real.counts | data; $sim.counts | data) else lines("job"; $real.requests; $sim.requests),
	pages("job"; $real.pages; $sim.pages) end,
 if $replay then lines("replay"; $real.requests; $replay.requests), pages("replay"; $real.pages; $replay.pages) else empty end]
| {steps: 1, requests: ($real.requests | length), differing: (if . == [] then 0 else 1 end), totals: [], text: (add // "")}
