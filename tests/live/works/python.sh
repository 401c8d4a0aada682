# python3: buffered and unbuffered files, seeks, appends, mapped memory, records written in place, compiled
# modules, gzip and zip archives.
# needs python3
prepare() {
	head -c 300000 /dev/urandom >records
	seq 9000 >numbers
	mkdir mod
	for n in 1 2 3; do
		echo "table = [$(seq -s, $((n * 400)))]" >mod/m$n.py
	done
	cat >prog.py <<-'END'
		import gzip, json, mmap, os, sys, zipfile
		sys.path.insert(0, 'mod')
		import m1, m2, m3
		with open('records', 'r+b') as f:
		    for i in range(0, 40):
		        f.seek(i * 7001 % 290000)
		        old = f.read(100)
		        f.seek(i * 5003 % 290000)
		        f.write(old[::-1])
		    f.flush()
		    os.fsync(f.fileno())
		with open('numbers') as f, open('squares', 'w') as g:
		    for line in f:
		        print(int(line) ** 2, file=g)
		with open('log', 'ab', buffering=0) as f:
		    for i in range(30):
		        f.write(b'line %d\n' % i * (i + 1))
		with open('data.json', 'w') as f:
		    json.dump([m1.table, m2.table, m3.table], f)
		with open('data.json') as f:
		    assert json.load(f)[1] == m2.table
		fd = os.open('sparse', os.O_RDWR | os.O_CREAT)
		os.pwrite(fd, b'x' * 5000, 100000)
		os.pwrite(fd, b'y' * 300, 50)
		os.ftruncate(fd, 101000)
		assert len(os.pread(fd, 200000, 0)) == 101000
		os.close(fd)
		with gzip.open('numbers.gz', 'wb') as f, open('numbers', 'rb') as g:
		    f.write(g.read())
		with gzip.open('numbers.gz') as f:
		    assert f.read().startswith(b'1\n2\n')
		with zipfile.ZipFile('all.zip', 'w', zipfile.ZIP_DEFLATED) as z:
		    for name in ('numbers', 'squares', 'log', 'mod/m3.py'):
		        z.write(name)
		with zipfile.ZipFile('all.zip') as z:
		    z.extractall('out')
		    assert z.testzip() is None
		if sys.argv[1:] == ['map']:
		    with open('records', 'r+b') as f, mmap.mmap(f.fileno(), 0) as m:
		        total = sum(m[i] for i in range(0, len(m), 20001))
		        m[70000:70100] = bytes(100)
		        m[250000] = total % 256
		        m.flush()
	END
}
work() {
	python3 -B prog.py
	python3 prog.py map
	python3 -c "import sys; sys.path.insert(0, 'mod'); import m1, m2, m3"
}
