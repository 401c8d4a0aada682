# Compares what steps.jq told of a real and a simulated run: $real, $sim. Prints a JSON object: how many
# steps and requests were compared, how many steps differ, the first difference as text.
# $flood: writeback is compared in total. Which pages are written at least once does not depend on time;
# how often pages that are made dirty again are written, and in how many WRITEs, does.

def near($a; $b; $share; $count): ($a - $b | fabs) <= ([$share * $a, $count] | max);
def step_text($i): ($real.steps[$i].lines) as $r | ($sim.steps[$i].lines) as $s
	| "== \($real.steps[$i].text)\n" + (if $r == $s then ($r | map("     \(.)\n") | add // "")
		else ($r - $s | map("-    \(.)\n") | add // "") + ($s - $r | map("+    \(.)\n") | add // "")
			+ (if (($r - $s) + ($s - $r)) == [] then "  real: \($r | join("; "))\n  simulated: \($s | join("; "))\n"
			   else "  of real: \($r | join("; "))\n" end) end);

[range($real.steps | length) | select($real.steps[.].lines != $sim.steps[.].lines)] as $differing
| ($real.totals) as $r | ($sim.totals) as $s
| [ (if $flood then
	(if $r.written != $s.written then "pages written differ: \([$r.written | keys[] | select($r.written[.] != $s.written[.])] | join(" "))" else empty end),
	(if near($r.bytes; $s.bytes; 0.10; 0) | not then "bytes of writeback: \($r.bytes), simulated \($s.bytes)" else empty end),
	(if near($r.writes; $s.writes; 0.25; 3) | not then "WRITEs of writeback: \($r.writes), simulated \($s.writes)" else empty end),
	(if near($r.setattrs; $s.setattrs; 0.25; 3) | not then "SETATTRs: \($r.setattrs), simulated \($s.setattrs)" else empty end)
     else empty end) ] as $totals
| {steps: ($real.steps | length), requests: ($real.steps | map(.lines | length) | add),
   differing: ($differing | length), totals: $totals,
   text: ((if $differing == [] then "" else $differing[0] as $d
	| [range([0, $d - 6] | max; [$d + 4, ($real.steps | length)] | min)] | map(step_text(.)) | add end)
	+ ($totals | map("== \(.)\n") | add // ""))}
