# jq has no integers above 2^53: the largest, behind a directory's last name, is written out.
# Requests by step, as the recordings print them. Input: simulate's JSON lines, slurped; $names has,
# for each op, the step that begins there, "" for one not to be compared, or null.
def line: .opcode + (if .opcode | IN("READ", "WRITE", "READDIR", "READDIRPLUS")
	then " off=\(.offset | if . > 9e18 then "9223372036854775807" else . end) sz=\(.size)" else "" end)
	+ (if .opcode == "FORGET" then "" else " sg=\(.sg_out)+\(.sg_in)" end);
(map(select(.type == "op") | .t_start_ns) | sort) as $starts
| (map(select(.type == "request")) | sort_by(.unique)) as $requests
| [range($starts | length) as $i | select($names[$i] != null) | {name: $names[$i], at: $starts[$i]}]
| . as $steps
| range(length) as $i | select($steps[$i].name != "")
| "== \($steps[$i].name)",
  ($requests[] | select(.t_issue_ns >= $steps[$i].at
	and ($i + 1 == ($steps | length) or .t_issue_ns < $steps[$i + 1].at)) | line)
