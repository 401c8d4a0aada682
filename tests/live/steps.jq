# What was sent in each step of an op script, and what writeback sent in all, for compare.jq.
#
# Input: vfscope export's or simulate's JSON lines, slurped. $script: the script as run_ops printed it,
# with the time of each op. $simulated: the times are those of the simulated ops, in each task's order.
# $flood: dirty pages are so many that timing decides what goes into which WRITE, and when.
#
# A step is an op, with all requests that its task issued until its next op began; those of the kernel's
# own threads (sync(2) has the flusher write) count for the op that began last, or the file's. What the
# task waited for comes in its order; then, sorted, what went in the background, and forgotten inodes.
# Dropping caches takes inodes in the order of their age: there all is sorted. Nodes are named by their
# ops, or the first step that speaks of one, until they are forgotten.

def parsed:
	reduce ($script | split("\n"))[] as $line ({tasks: [], steps: [], first: 0, threads: {}};
		if ($line | startswith("# start ")) then .first = ($line | split(" ")[2] | tonumber)
		elif ($line | startswith("# task ")) then
			.threads[$line | split(" ")[4]] = ($line | split(" ")[2] | tonumber)
		elif $line == "# from here" then .steps |= map(.compared = false)
		elif ($line | startswith("@")) then
			($line | capture("^@(?<at>[0-9]+)ns ((?<who>[^ :]+): )?(?<op>(?<verb>[a-z]+) ?(?<file>[^ ]*).*)"))
			as $m | ($m.who // "") as $who
			| (if (.tasks | index($who)) == null then .tasks += [$who] else . end)
			| .steps += [{task: ((.tasks | index($who)) + 1), at: ($m.at | tonumber), text: $line[($m.at
				| length) + 4:], verb: $m.verb, file: $m.file, compared: true}]
		else . end);

def with_starts($all; $parsed):
	if $simulated then
		($all | map(select(.type == "op")) | group_by(.task) | map({key: (.[0].task | tostring),
			value: (map(.t_start_ns) | sort)}) | from_entries) as $starts
		| reduce range($parsed.steps | length) as $i ({steps: $parsed.steps, nth: {}};
			(.steps[$i].task | tostring) as $t
			| .steps[$i].start = $starts[$t][.nth[$t] // 0] | .nth[$t] = (.nth[$t] // 0) + 1)
		| .steps
	else
		$parsed.steps | map(.start = .at + $parsed.first)
	end;

def class_line($file):
	"\(.opcode) \($file)" + (if .opcode == "READ" or .opcode == "WRITE"
		then " off=\(.offset) sz=\(.size) \(.class)" else "" end) + " sg=\(.sg_out)+\(.sg_in)";

def is_timed: $flood and (.class == "writeback" or .opcode == "SETATTR");

. as $all | parsed as $parsed | with_starts($all; $parsed) as $steps
| ($steps | to_entries | map({task: .value.task, start: .value.start, i: .key})
	| sort_by(.start)) as $in_time
| ($in_time | group_by(.task) | map({key: (.[0].task | tostring), value: .}) | from_entries) as $of_task
| reduce ($all | map(select(.opcode != "INIT" and .opcode != "DESTROY")
	| .t_issue_ns = (.t_issue_ns // .t_start_ns)) | sort_by(.t_issue_ns, .unique))[] as $r
	({names: {"1": "/"}, lines: ($steps | map({waited: [], background: [], forgotten: []})), written: {},
	  writes: 0, bytes: 0, setattrs: 0};
	((if $simulated then $r.task else $parsed.threads[$r.task | tostring] end) // 0) as $task
	| ([$of_task[$task | tostring] // $in_time | .[] | select(.start <= $r.t_issue_ns) | .i] | last) as $i
	| ($r.nodeid | tostring) as $node
	| (if $i != null and $task > 0 and $node != "1" and $steps[$i].file != "" and (($r.type == "op" and ($r.op | IN("open", "create", "read", "write", "fsync", "fdatasync", "close", "mmap_fault"))) or ($r.type != "op" and .names[$node] == null))
	   then .names[$node] = $steps[$i].file else . end)
	| .names[$node] as $file
	| if $r.type == "op" then . else (if $r.class == "writeback" then
		.writes += 1 | .bytes += $r.size
		| .written[$file // "?"] += [range($r.offset / 4096 | floor; ($r.offset + $r.size + 4095) / 4096 | floor)]
	   elif $r.opcode == "SETATTR" then .setattrs += 1 else . end)
	| (if $i == null or ($r | is_timed) then .
	   elif $r.opcode == "FORGET" then
		(if $task > 0 then $i else [$in_time[] | select(.start <= $r.t_issue_ns and
			($steps[.i].file == $file or $steps[.i].verb == "dropcaches")) | .i] | last end) as $of
		| .lines[$of // $i].forgotten += [$r | class_line($file)]
	   elif ($r.flags | index("background")) then
		.lines[$i].background += [{key: [$file, $r.offset, $r.size], line: ($r | class_line($file))}]
	   else .lines[$i].waited += [$r | class_line($file)] end)
	| (if $r.opcode == "FORGET" then del(.names[$node]) else . end) end)
| {steps: [range($steps | length) as $i | select($steps[$i].compared)
	| .lines[$i] as $l
	| {text: "\($i + 1): \($steps[$i].text)",
	   lines: (($l.waited + ($l.background | sort_by(.key) | map(.line)) + ($l.forgotten | sort))
		| if $steps[$i].verb == "dropcaches" then sort else . end)}],
   totals: {written: (.written | map_values(unique | [.[] as $p | $p])), writes, bytes, setattrs}}
