# What a fio job sent: input are vfscope export's or simulate's JSON lines, slurped. Data requests and syncs,
# sorted; writeback ($writeback) is told as the pages that it wrote of each file, since its moment decides
# what is in which WRITE.
map(select(.type == "request" and (.opcode | IN("READ", "WRITE", "FSYNC"))))
| map(select(($writeback and .class == "writeback") | not)) as $sent
| {requests: ($sent | map("\(.opcode) \(.class) off=\(.offset) sz=\(.size) sg=\(.sg_out)+\(.sg_in)") | sort),
   counts: ($sent | group_by([.opcode, .class == "direct"]) | map({key: (.[0].opcode + if .[0].class == "direct" then " direct" else "" end),
	value: {nr: length, bytes: (map(.size) | add)}}) | from_entries),
   pages: (map(select($writeback and .class == "writeback")) | group_by(.nodeid) | map([.[] |
	range(.offset / 4096 | floor; (.offset + .size + 4095) / 4096 | floor)] | unique) | sort)}
