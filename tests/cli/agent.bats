# SPDX-License-Identifier: GPL-2.0-or-later
#
# vfscope agent and record --vm without a VM: addresses, and what they say when nobody is there.

load common

setup() {
	cd "$BATS_TEST_TMPDIR"
}

teardown() {
	[[ -z ${AGENT_PID-} ]] || kill "$AGENT_PID" 2>/dev/null || true
}

# On a free port of localhost; sets PORT. What it says goes to agent.log.
start_agent() { # OPTION...
	PORT=$((20000 + RANDOM % 20000))
	until grep -qs 'waiting for a host' agent.log; do
		PORT=$((PORT + 1))
		"$VFSCOPE" agent "$@" "tcp:$PORT" >agent.log 2>&1 3>&- &
		AGENT_PID=$!
		until [[ -s agent.log ]]; do sleep 0.05; done
	done
}

@test "addresses that cannot be are refused, with the forms that can" {
	expect 2 "$VFSCOPE" agent
	expect 2 "$VFSCOPE" agent nonsense
	says "'nonsense'" 'vsock[:PORT]' serial:NAME 'tcp['
	expect 2 "$VFSCOPE" record --vm tcp:host:99999
	says tcp:host:99999 vsock:CID hybrid:SOCKET serial:SOCKET
	expect 2 "$VFSCOPE" record --vm vsock
	expect 2 "$VFSCOPE" record --guest --vm vsock:3
	says "exactly one"
}

@test "options of --vm are refused elsewhere, and those of one side with it" {
	expect 2 "$VFSCOPE" record --host --keep
	says --keep --vm
	expect 2 "$VFSCOPE" record --host --guest-command true
	says --guest-command --vm
	expect 2 "$VFSCOPE" record --vm vsock:3 --paths --no-ops
	says --paths
	expect 2 "$VFSCOPE" record --vm vsock:3 --guest-timeout 4s
	says --guest-timeout 5s
	expect 2 "$VFSCOPE" record --vm vsock:3 --mount mnt
	says '--mount mnt' guest
}

@test "nobody there: says what was tried and what to start, before anything is recorded or run" {
	expect 3 "$VFSCOPE" record --vm tcp:127.0.0.1:1 -- touch ran
	says '127.0.0.1 port 1' 'Connection refused' 'vfscope agent'
	expect 3 "$VFSCOPE" record --vm serial:/no/such.sock
	says /no/such.sock 'No such file' virtserialport
	expect 3 "$VFSCOPE" record --vm hybrid:/no/such.sock:9
	says 'port 9' /no/such.sock 'No such file'
	expect 3 "$VFSCOPE" record --vm vsock:4294967
	says 'vsock CID 4294967' 'vfscope agent vsock'
	expect 3 "$VFSCOPE" agent serial:no.such.port
	says no.such.port virtserialport
	[ ! -e ran ] && [ ! -e vfscope.vft ]
}

@test "an agent on localhost: refuses who is no vfscope, goes on, ends by SIGTERM with status 0" {
	start_agent
	run ! grep -q authentication agent.log
	exec {peer}<>"/dev/tcp/127.0.0.1/$PORT"
	printf 'GET / HTTP/1.1\r\n\r\n' >&"$peer"
	cat <&"$peer" >answer || true # what it had not read resets the connection
	exec {peer}>&-
	grep -aq 'not vfscope.s protocol' answer
	grep -q 'refused a host' agent.log
	expect 3 "$VFSCOPE" agent "tcp:$PORT"
	says "port $PORT" 'in use'
	# There is no daemon here, or not one that serves: the host's side says so, and nothing is kept.
	expect 3 "$VFSCOPE" record --vm "tcp:127.0.0.1:$PORT" --daemon $$ -o x.vft
	says 'not a virtio-fs daemon'
	[ -z "$(ls ./*.vft 2>/dev/null)" ]
	kill -TERM "$AGENT_PID"
	wait "$AGENT_PID"
}

@test "an agent that others can reach warns of it" {
	timeout -s INT 1 "$VFSCOPE" agent tcp:0.0.0.0:$((20000 + RANDOM % 20000)) 2>log || true
	grep -q 'neither authentication nor encryption' log
}

# What a VMM's socket for its guest's vsock does, in front of the agent's TCP port: one host after
# the other, as often as it is to answer.
start_vmm() { # HOSTS
	perl -MIO::Socket::UNIX -MIO::Socket::INET -MIO::Select -e '
		my ($path, $port, $hosts) = @ARGV;
		my $listen = IO::Socket::UNIX->new(Local => $path, Listen => 4) or die "$!";
		while ($hosts-- > 0) {
			my $host = $listen->accept;
			my $line = <$host>;
			my $agent = $line eq "CONNECT 8347\n" && IO::Socket::INET->new("127.0.0.1:$port");
			next unless $agent;
			syswrite $host, "OK 1073741824\n";
			my $both = IO::Select->new($host, $agent);
			COPY: while (1) {
				for my $from ($both->can_read) {
					sysread($from, my $bytes, 65536) or last COPY;
					syswrite($from == $host ? $agent : $host, $bytes);
				}
			}
		}' v.sock "$PORT" "$1" 3>&- &
	VMM_PID=$!
	until [[ -S v.sock ]]; do sleep 0.05; done
}

@test "hybrid vsock: through a VMM's socket to the agent; says who does not answer" {
	start_agent
	start_vmm 3
	# As far as it goes without a guest: its agent answers, and refuses.
	expect 3 "$VFSCOPE" record --vm hybrid:v.sock --guest-command true --daemon $$ -o x.vft
	says 'not a virtio-fs daemon'
	expect 3 "$VFSCOPE" record --vm hybrid:v.sock:9
	says 'port 9 through v.sock' "is 'vfscope agent vsock' running"
	kill -TERM "$AGENT_PID"
	wait "$AGENT_PID"
	expect 3 "$VFSCOPE" record --vm hybrid:v.sock
	says 'port 8347 through v.sock' 'nobody listens'
	wait "$VMM_PID"
	expect 3 "$VFSCOPE" record --vm hybrid:v.sock
	says v.sock 'Connection refused'
}
