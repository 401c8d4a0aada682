# What of the DAX window a guest mapped where and why, and what it sent past the window: one request a
# line. Input: all lines of export or of simulate's --requests.
map(select(.type == "request" and (.opcode | IN("SETUPMAPPING", "REMOVEMAPPING", "READ", "WRITE")))) |
sort_by(.t_issue_ns, .unique) | .[] |
if .opcode == "READ" or .opcode == "WRITE" then "\(.opcode) \(.class) off=\(.offset) sz=\(.size)"
else "\(.opcode) \(.class) range=\(.window_offset / 2097152) ranges=\(.ranges)" +
	(if .opcode == "SETUPMAPPING" then " off=\(.offset)" else "" end) +
	(if .flags | index("writable") then " writable" else "" end) end
