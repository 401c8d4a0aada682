# Requests as lines: what the task sent in its order, then how many the worker did. Offsets and sizes of
# WRITE alone: recordings do not have those of mappings.
map(select(.type == "request" and .opcode != "INIT")) | sort_by(.unique) |
(map(select(.opcode == "OPEN")) | first | .task) as $task |
(map(select(.task == $task)) | .[] |
	"\(.opcode)\(if .opcode == "WRITE" then " \(.offset) \(.size)" else "" end) \(.sg_out)+\(.sg_in)"),
(map(select(.task != $task)) | group_by(.opcode)[] | "worker: \(length) \(.[0].opcode) \(.[0].sg_out)+\(.[0].sg_in)")
