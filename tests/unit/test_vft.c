// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * .vft files: what is written is read back, and no damage passes unnoticed or crashes the reader.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "lib/op.h"
#include "lib/span.h"
#include "trace/vft.h"
#include "trace/vft_format.h"

struct fixture {
	char dir[64];
	char path[96];
};

struct outcome {
	int open_error;
	int read_error;
	uint64_t records;
	bool interrupted;
	uint64_t damaged;
	uint64_t ringbuf;
};

static FILE *quiet;

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const char *tmp = getenv("TMPDIR");

	snprintf(f->dir, sizeof(f->dir), "%.40s/vft-XXXXXX",
		 tmp && strlen(tmp) < 40 ? tmp : "/tmp");
	if (!mkdtemp(f->dir))
		return -1;
	snprintf(f->path, sizeof(f->path), "%s/trace.vft", f->dir);
	*state = f;
	/* Thousands of damaged files print thousands of messages; sanitizers still use fd 2. */
	if (!quiet)
		quiet = fopen("/dev/null", "w");
	stderr = quiet;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	unlink(f->path);
	rmdir(f->dir);
	free(f);
	return 0;
}

static struct guest_request_event make_event(uint64_t i)
{
	return (struct guest_request_event){
		.h = {.type = EV_GUEST_REQUEST,
		      .size = sizeof(struct guest_request_event),
		      .ts_ns = 1000 + i},
		.unique = 2 * i,
		.offset_bytes = i * 4096,
		.opcode = 15,
		.t_issue_ns = 500 + i,
	};
}

static void write_events(const char *path, uint64_t n, uint64_t per_chunk)
{
	uint64_t losses[NR_LOSS_CLASSES] = {[LOSS_RINGBUF] = 7};
	struct vft_writer *w;

	assert_int_equal(vft_writer_open(&w, path, VFT_GUEST, NULL), 0);
	for (uint64_t i = 0; i < n; i++) {
		struct guest_request_event e = make_event(i);

		assert_int_equal(vft_write_event(w, &e.h), 0);
		if (per_chunk && i % per_chunk == per_chunk - 1)
			assert_int_equal(vft_writer_flush(w), 0);
	}
	assert_int_equal(vft_writer_records(w), n);
	assert_int_equal(vft_writer_close(w, losses, NULL), 0);
}

static struct outcome read_all(const char *path)
{
	struct outcome o = {0};
	struct vft_record record;
	struct vft_reader *r;

	o.open_error = vft_reader_open(&r, path);
	if (o.open_error)
		return o;
	while (!(o.read_error = vft_read(r, &record)) && record.type != VFT_RECORD_END)
		o.records++;
	o.interrupted = vft_reader_interrupted(r);
	o.damaged = vft_reader_losses(r)[LOSS_DAMAGED];
	o.ringbuf = vft_reader_losses(r)[LOSS_RINGBUF];
	vft_reader_close(r);
	return o;
}

static uint8_t *load(const char *path, size_t *len)
{
	FILE *in = fopen(path, "rb");
	uint8_t *bytes;

	assert_non_null(in);
	fseek(in, 0, SEEK_END);
	*len = ftell(in);
	rewind(in);
	bytes = malloc(*len + 1);
	assert_int_equal(fread(bytes, 1, *len, in), *len);
	fclose(in);
	return bytes;
}

static void store(const char *path, const uint8_t *bytes, size_t len)
{
	FILE *out = fopen(path, "wb");

	assert_non_null(out);
	assert_int_equal(fwrite(bytes, 1, len, out), len);
	fclose(out);
}

static void test_round_trip(void **state)
{
	struct fixture *f = *state;
	const uint64_t n = 50000; /* several full chunks */
	struct vft_record record;
	struct vft_reader *r;
	struct stat st;

	write_events(f->path, n, 0);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(vft_reader_open(&r, f->path), 0);
	assert_int_equal(vft_reader_kind(r), VFT_GUEST);
	assert_string_equal(json_string_value(json_object_get(vft_reader_header(r), "kind")),
			    "guest");
	assert_true(json_is_integer(json_object_get(vft_reader_header(r), "start_ns")));
	for (uint64_t i = 0; i < n; i++) {
		struct guest_request_event want = make_event(i);

		assert_int_equal(vft_read(r, &record), 0);
		assert_int_equal(record.type, VFT_RECORD_EVENT);
		assert_int_equal((uintptr_t)record.event % 8, 0);
		assert_memory_equal(record.event, &want, sizeof(want));
	}
	assert_int_equal(vft_read(r, &record), 0);
	assert_int_equal(record.type, VFT_RECORD_END);
	assert_int_equal(vft_read(r, &record), 0); /* the end stays the end */
	assert_int_equal(record.type, VFT_RECORD_END);
	assert_false(vft_reader_interrupted(r));
	assert_int_equal(vft_reader_losses(r)[LOSS_RINGBUF], 7);
	assert_int_equal(vft_reader_losses(r)[LOSS_DAMAGED], 0);
	assert_int_equal(json_integer_value(json_object_get(vft_reader_footer(r), "events")), n);
	vft_reader_close(r);
}

static void test_spans_and_ops(void **state)
{
	struct fixture *f = *state;
	struct vft_writer *w;
	struct vft_reader *r;
	struct vft_record record;
	json_t *extra = json_pack("{s:i}", "unmatched", 3);
	uint64_t spans = 0, ops = 0;

	assert_int_equal(vft_writer_open(&w, f->path, VFT_JOINED, NULL), 0);
	for (int i = 0; i < 1000; i++) {
		struct span span = {.unique = i, .op_id = i + 1};
		struct op_record op = {.op_id = i + 1, .result = -i};

		assert_int_equal(vft_write_span(w, &span), 0);
		assert_int_equal(vft_write_op(w, &op), 0);
	}
	assert_int_equal(vft_writer_close(w, NULL, extra), 0);
	json_decref(extra);
	assert_int_equal(vft_reader_open(&r, f->path), 0);
	while (!vft_read(r, &record) && record.type != VFT_RECORD_END) {
		if (record.type == VFT_RECORD_SPAN) {
			assert_int_equal(record.span->unique, spans);
			assert_int_equal(record.span->op_id, ++spans);
		} else {
			assert_int_equal(record.type, VFT_RECORD_OP);
			assert_int_equal(record.op->result, -(int64_t)ops);
			assert_int_equal(record.op->op_id, ++ops);
		}
	}
	assert_int_equal(spans, 1000);
	assert_int_equal(ops, 1000);
	assert_int_equal(json_integer_value(json_object_get(vft_reader_footer(r), "unmatched")), 3);
	vft_reader_close(r);
}

/* A file of an older or newer vfscope has shorter or longer records of the same type. */
static void test_record_sizes_of_other_versions(void **state)
{
	struct fixture *f = *state;
	struct guest_request_event full = make_event(9);
	uint64_t longer[64] = {0};
	struct vft_writer *w;
	struct vft_reader *r;
	struct vft_record record;
	const struct guest_request_event *got;
	struct event_header unknown = {.type = 999, .size = sizeof(unknown)};

	full.end_cpu = 77;
	memcpy(longer, &full, sizeof(full));
	((struct event_header *)longer)->size = sizeof(longer);
	full.h.size = 64;
	assert_int_equal(vft_writer_open(&w, f->path, VFT_GUEST, NULL), 0);
	assert_int_equal(vft_write_event(w, &full.h), 0);
	assert_int_equal(vft_write_event(w, (struct event_header *)longer), 0);
	assert_int_equal(vft_write_event(w, &unknown), 0);
	unknown.size = 12;
	assert_int_equal(vft_write_event(w, &unknown), -EINVAL);
	assert_int_equal(vft_writer_close(w, NULL, NULL), 0);

	assert_int_equal(vft_reader_open(&r, f->path), 0);
	assert_int_equal(vft_read(r, &record), 0);
	got = (const struct guest_request_event *)record.event;
	assert_int_equal(got->unique, 18);
	assert_int_equal(got->end_cpu, 0);
	assert_int_equal(vft_read(r, &record), 0);
	got = (const struct guest_request_event *)record.event;
	assert_int_equal(got->end_cpu, 77);
	assert_int_equal(vft_read(r, &record), 0);
	assert_int_equal(record.event->type, 999);
	assert_int_equal(vft_read(r, &record), 0);
	assert_int_equal(record.type, VFT_RECORD_END);
	assert_int_equal(vft_reader_losses(r)[LOSS_DAMAGED], 0);
	vft_reader_close(r);
}

static void test_cut_at_every_byte(void **state)
{
	struct fixture *f = *state;
	uint64_t before = 0;
	uint8_t *bytes;
	size_t len;

	write_events(f->path, 40, 10);
	bytes = load(f->path, &len);
	for (size_t cut = 0; cut < len; cut++) {
		struct outcome o;

		assert_int_equal(truncate(f->path, 0), 0);
		store(f->path, bytes, cut);
		o = read_all(f->path);
		assert_int_equal(o.read_error, 0);
		if (o.open_error) {
			assert_int_equal(before, 0);
			continue;
		}
		assert_true(o.interrupted);
		assert_int_equal(o.records % 10, 0); /* whole chunks */
		assert_true(o.records >= before);
		before = o.records;
	}
	assert_int_equal(before, 40);
	free(bytes);
}

static void test_every_bit_flip_is_noticed(void **state)
{
	struct fixture *f = *state;
	uint8_t *bytes;
	size_t len;

	write_events(f->path, 12, 4);
	bytes = load(f->path, &len);
	for (size_t bit = 0; bit < len * 8; bit++) {
		struct outcome o;

		bytes[bit / 8] ^= 1u << (bit % 8);
		store(f->path, bytes, len);
		o = read_all(f->path);
		bytes[bit / 8] ^= 1u << (bit % 8);
		assert_int_equal(o.read_error, 0);
		if (!o.open_error) {
			assert_true(o.damaged > 0);
			assert_true(o.records >= 8); /* one chunk lost at most */
			/* With the footer whole, the number of lost records is exact. */
			if (!o.interrupted)
				assert_int_equal(o.records + o.damaged, 12);
		}
	}
	free(bytes);
}

static void test_lost_doubled_and_appended_chunks(void **state)
{
	struct fixture *f = *state;
	uint8_t *bytes, *changed;
	size_t len, second, third;
	struct outcome o;
	const struct vft_chunk_header *h;

	write_events(f->path, 30, 10);
	bytes = load(f->path, &len);
	changed = malloc(2 * len);
	h = (const struct vft_chunk_header *)(bytes + sizeof(struct vft_file_header));
	second = sizeof(struct vft_file_header) + sizeof(*h) + h->stored_bytes;
	memcpy(changed, bytes + second, sizeof(*h));
	third = second + sizeof(*h) + ((struct vft_chunk_header *)changed)->stored_bytes;

	memcpy(changed, bytes, second);
	memcpy(changed + second, bytes + third, len - third);
	store(f->path, changed, len - (third - second));
	o = read_all(f->path);
	assert_int_equal(o.records, 20);
	assert_int_equal(o.damaged, 10);

	memcpy(changed, bytes, third);
	memcpy(changed + third, bytes + second, len - second);
	store(f->path, changed, len + (third - second));
	assert_true(read_all(f->path).damaged > 0);

	memcpy(changed, bytes, len);
	changed[len] = 0;
	store(f->path, changed, len + 1);
	assert_int_equal(read_all(f->path).damaged, 1);
	free(changed);
	free(bytes);
}

static void test_not_traces(void **state)
{
	struct fixture *f = *state;
	struct vft_file_header newer = {.version = VFT_VERSION + 1, .kind = VFT_GUEST};
	struct vft_file_header odd = {.version = VFT_VERSION, .kind = 9};
	static const char garbage[] = "[global]\nrw=randread\nsize=1m\nthis is a fio job file\n";

	assert_int_equal(read_all("/nonexistent/x.vft").open_error, -ENOENT);
	assert_int_equal(read_all(f->dir).open_error, -EISDIR);
	store(f->path, (const uint8_t *)"", 0);
	assert_int_equal(read_all(f->path).open_error, -EBADMSG);
	store(f->path, (const uint8_t *)garbage, sizeof(garbage));
	assert_int_equal(read_all(f->path).open_error, -EINVAL);
	memcpy(newer.magic, VFT_MAGIC, VFT_MAGIC_BYTES);
	newer.crc = vft_crc(&newer, offsetof(struct vft_file_header, crc));
	store(f->path, (const uint8_t *)&newer, sizeof(newer));
	assert_int_equal(read_all(f->path).open_error, -EINVAL);
	memcpy(odd.magic, VFT_MAGIC, VFT_MAGIC_BYTES);
	odd.crc = vft_crc(&odd, offsetof(struct vft_file_header, crc));
	store(f->path, (const uint8_t *)&odd, sizeof(odd));
	assert_int_equal(read_all(f->path).open_error, -EINVAL);
}

/* Lengths with right checksums, that a hostile writer may choose. */
static void test_hostile_lengths(void **state)
{
	static const struct vft_chunk_header chunks[] = {
		{.type = VFT_CHUNK_EVENTS, .stored_bytes = UINT32_MAX, .raw_bytes = UINT32_MAX},
		{.type = VFT_CHUNK_EVENTS, .stored_bytes = 1u << 22, .raw_bytes = 1u << 22},
		{.type = VFT_CHUNK_EVENTS, .records = UINT32_MAX},
		{.type = VFT_CHUNK_EVENTS, .stored_bytes = 8, .raw_bytes = 8, .records = 1},
		{.type = VFT_CHUNK_EVENTS, .stored_bytes = 16, .raw_bytes = 16, .records = 1},
		{.type = VFT_CHUNK_SPANS, .stored_bytes = 16, .raw_bytes = 16, .records = 0},
		{.type = VFT_CHUNK_SPANS, .stored_bytes = 17, .raw_bytes = 17, .records = 1},
		{.type = VFT_CHUNK_FOOTER, .stored_bytes = 16, .raw_bytes = 16},
		{.type = VFT_CHUNK_EVENTS, .encoding = 1, .stored_bytes = 16, .raw_bytes = 1 << 22},
		{.type = VFT_CHUNK_EVENTS, .encoding = 2, .stored_bytes = 8, .raw_bytes = 1 << 22},
		{.type = VFT_CHUNK_EVENTS, .encoding = 2, .stored_bytes = 16, .raw_bytes = 1 << 22},
		{.type = VFT_CHUNK_EVENTS, .encoding = 2, .stored_bytes = 32, .raw_bytes = 16},
		{.type = VFT_CHUNK_EVENTS, .encoding = 9, .stored_bytes = 16, .raw_bytes = 16},
	};
	struct fixture *f = *state;
	uint8_t *bytes;
	size_t len, at;

	write_events(f->path, 0, 0);
	bytes = load(f->path, &len);
	at = ((struct vft_chunk_header *)(bytes + 32))->stored_bytes + 64;
	bytes = realloc(bytes, at + 64);
	for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
		struct vft_chunk_header h = chunks[i];
		struct outcome o;

		memset(bytes + at, 0xff, 64);
		h.magic = VFT_CHUNK_MAGIC;
		h.sequence = 1;
		h.payload_crc = vft_crc(bytes + at + 32, h.stored_bytes <= 32 ? h.stored_bytes : 0);
		h.crc = vft_crc(&h, offsetof(struct vft_chunk_header, crc));
		memcpy(bytes + at, &h, sizeof(h));
		store(f->path, bytes, at + 64);
		o = read_all(f->path);
		assert_int_equal(o.open_error, 0);
		assert_int_equal(o.read_error, 0);
		assert_int_equal(o.records, 0);
		assert_true(o.damaged > 0);
	}
	free(bytes);
}

static void test_disk_full(void **state)
{
	struct guest_request_event e = make_event(1);
	struct vft_writer *w;

	assert_int_equal(vft_writer_open(&w, "/dev/full", VFT_GUEST, NULL), -ENOSPC);
	assert_null(w);
	assert_int_equal(vft_writer_open(&w, "/nonexistent/x.vft", VFT_GUEST, NULL), -ENOENT);
	(void)e;
}

/* The pipe's reader goes away: an error, not SIGPIPE. */
static void test_broken_pipe(void **state)
{
	struct guest_request_event e = make_event(1);
	char path[32];
	struct vft_writer *w;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[1]);
	assert_int_equal(vft_writer_open(&w, path, VFT_GUEST, NULL), 0);
	close(fds[0]);
	assert_int_equal(vft_write_event(w, &e.h), 0);
	assert_int_equal(vft_writer_flush(w), -EPIPE);
	assert_int_equal(vft_write_event(w, &e.h), -EPIPE);
	assert_int_equal(vft_writer_close(w, NULL, NULL), -EPIPE);
	close(fds[1]);
}

struct patience {
	unsigned int asked, max; /* times */
	uint64_t last_ns;
	int from, to; /* read and kept when asked; or -1: nothing is */
};

static void copy_what_is_there(const struct patience *p)
{
	static char block[1 << 16];
	ssize_t n = read(p->from, block, sizeof(block));

	assert_true(n >= 0);
	assert_int_equal(write(p->to, block, (size_t)n), n);
}

static int ask(void *ctx, const struct vft_stall *stall)
{
	struct patience *p = ctx;

	p->last_ns = stall->for_ns;
	if (++p->asked == p->max)
		return -ETIMEDOUT;
	if (p->from >= 0)
		copy_what_is_there(p);
	return 0;
}

/* Events that do not compress, so that few fill a pipe. */
static int write_noise(struct vft_writer *w, uint32_t count)
{
	struct guest_request_event e = make_event(1);
	uint64_t x = 88172645463325252ULL;
	int err = 0;

	for (uint32_t i = 0; i < count && !err; i++) {
		for (uint64_t *p = (uint64_t *)(&e.h + 1); p + 1 <= (uint64_t *)(&e + 1); p++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			*p = x;
		}
		err = vft_write_event(w, &e.h);
	}
	return err;
}

/* Nobody reads, but the pipe stays open: who waits is asked, and may give up. */
static void test_reader_that_stalls(void **state)
{
	struct patience patience = {.max = 3, .from = -1};
	struct guest_request_event e = make_event(1);
	uint32_t events = (2u << 20) / sizeof(e);
	struct vft_writer *w;
	char path[32];
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[1]);
	assert_int_equal(vft_writer_open(&w, path, VFT_GUEST, NULL), 0);
	vft_writer_on_stall(w, ask, &patience);
	assert_int_equal(write_noise(w, events), -ETIMEDOUT);
	assert_int_equal(patience.asked, 3);
	assert_true(patience.last_ns > 0);
	/* Asked no more: neither for what comes, nor for a footer. */
	assert_int_equal(vft_write_event(w, &e.h), -ETIMEDOUT);
	assert_int_equal(vft_writer_flush(w), -ETIMEDOUT);
	assert_int_equal(vft_writer_not_written(w), vft_writer_records(w));
	assert_int_equal(vft_writer_close(w, NULL, NULL), -ETIMEDOUT);
	assert_int_equal(patience.asked, 3);
	close(fds[0]);
	close(fds[1]);
}

/* A reader that reads only when there is no room any more gets all of it. */
static void test_reader_that_goes_on(void **state)
{
	uint32_t events = (3u << 20) / sizeof(struct guest_request_event);
	struct patience patience = {0};
	struct fixture *f = *state;
	struct vft_writer *w;
	struct outcome o;
	char path[32];
	int fds[2];

	patience.to = open(f->path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(patience.to >= 0);
	assert_int_equal(pipe(fds), 0);
	patience.from = fds[0];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[1]);
	assert_int_equal(vft_writer_open(&w, path, VFT_GUEST, NULL), 0);
	close(fds[1]);
	vft_writer_on_stall(w, ask, &patience);
	assert_int_equal(write_noise(w, events), 0);
	assert_int_equal(vft_writer_not_written(w), 0);
	assert_int_equal(vft_writer_close(w, NULL, NULL), 0);
	assert_true(patience.asked > 0);
	copy_what_is_there(&patience);
	close(fds[0]);
	close(patience.to);
	o = read_all(f->path);
	assert_int_equal(o.records, events);
	assert_int_equal(o.damaged, 0);
	assert_false(o.interrupted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_spans_and_ops, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_record_sizes_of_other_versions, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_cut_at_every_byte, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_every_bit_flip_is_noticed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_lost_doubled_and_appended_chunks, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_not_traces, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hostile_lengths, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_disk_full, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_broken_pipe, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_reader_that_stalls, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_reader_that_goes_on, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
