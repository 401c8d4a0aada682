# A database with a rollback journal, then with a write-ahead log (mapped, unless the mode is never).
# needs sqlite3
prepare() { :; }
work() {
	sqlite3 db 'create table t(a integer primary key, b text);'
	for n in 1 2 3 4 5; do
		sqlite3 db "insert into t(b) select hex(randomblob(900)) from (values (1),(2),(3),(4),(5),(6),(7),(8));"
	done
	sqlite3 db 'update t set b = b || b where a % 3 = 0; delete from t where a % 7 = 1; vacuum;'
	sqlite3 db 'select count(*), sum(length(b)) from t;'
}
