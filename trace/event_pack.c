// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Packs and unpacks events; see event_pack.h.
 */
#include <string.h>
#include "bpf/events.h"
#include "lib/compiler.h"
#include "trace/event_pack.h"

#define SIZES_PER_WORD 16
#define SIZE_OF_ZERO 9 /* of a time that was not seen */
#define CPU_SHIFT 32 /* in the first word: type and size are the shape */

#define WORD(type, field) (1ull << offsetof(struct type, field) / sizeof(uint64_t))

/* What is known of events of one type and size. */
struct shape {
	struct {
		uint16_t type, size;
	} head;
	unsigned int words;
	uint64_t all, times; /* a bit for each word; for each that is a time */
	const uint64_t *before; /* the last event of this shape */
	uint64_t none[EVENT_PACK_MAX_WORDS]; /* what the first one differs from */
};

struct pack {
	struct shape shapes[EVENT_PACK_MAX_SHAPES];
	unsigned int nr_shapes;
	uint64_t last_time;
	uint8_t *control, *values;
};

struct unpack {
	struct shape shapes[EVENT_PACK_MAX_SHAPES];
	unsigned int nr_shapes;
	uint64_t last_time;
	const uint8_t *control, *control_end, *values, *values_end;
};

/* Only to take fewer bytes: it is in the file, readers need not agree. */
static uint64_t time_words(uint16_t type)
{
	uint64_t ts = WORD(event_header, ts_ns);

	switch (type) {
	case EV_GUEST_REQUEST:
		return ts | WORD(guest_request_event, t_issue_ns) |
		       WORD(guest_request_event, t_send_ns) |
		       WORD(guest_request_event, t_queued_ns) |
		       WORD(guest_request_event, t_add_ns) | WORD(guest_request_event, t_kick_ns) |
		       WORD(guest_request_event, t_irq_ns) | WORD(guest_request_event, t_work_ns) |
		       WORD(guest_request_event, t_complete_ns) |
		       WORD(guest_request_event, t_end_ns) | WORD(guest_request_event, t_wake_ns);
	case EV_GUEST_OP:
		return ts | WORD(guest_op_event, t_start_ns);
	case EV_GUEST_WRITEBACK:
		return ts | WORD(guest_writeback_event, t_start_ns);
	case EV_HOST_SYSCALL:
		return ts | WORD(host_syscall_event, t_enter_ns);
	case EV_HOST_USED:
		return ts | WORD(host_used_event, t_absent_ns);
	default:
		return ts;
	}
}

static bool shape_init(struct shape *s, uint16_t type, uint16_t size, uint64_t times)
{
	s->head.type = type;
	s->head.size = size;
	s->words = size / sizeof(uint64_t);
	s->before = s->none;
	memset(s->none, 0, sizeof(s->none));
	memcpy(s->none, &s->head, sizeof(s->head));
	if (size < sizeof(struct event_header) || size % sizeof(uint64_t) ||
	    s->words > EVENT_PACK_MAX_WORDS)
		return false;
	s->all = UINT64_MAX >> (EVENT_PACK_MAX_WORDS - s->words);
	s->times = times & s->all & ~1ull; /* older events are shorter; the first is no time */
	return true;
}

/* Small numbers of either sign to small ones without. */
static uint64_t fold(uint64_t difference)
{
	return difference << 1 ^ (uint64_t)((int64_t)difference >> 63);
}

static uint64_t fold_cpu(uint64_t difference)
{
	return fold((uint64_t)((int64_t)difference >> CPU_SHIFT));
}

static uint64_t unfold(uint64_t folded)
{
	return folded >> 1 ^ -(folded & 1);
}

static void put(uint8_t **at, const void *data, size_t len)
{
	memcpy(*at, data, len);
	*at += len;
}

static struct shape *pack_shape(struct pack *p, const struct event_header *h)
{
	unsigned int at = 0;
	struct shape *s;

	while (at < p->nr_shapes &&
	       (p->shapes[at].head.type != h->type || p->shapes[at].head.size != h->size))
		at++;
	if (at == EVENT_PACK_MAX_SHAPES)
		return NULL;
	*p->control++ = (uint8_t)at;
	s = &p->shapes[at];
	if (at < p->nr_shapes)
		return s;
	if (!shape_init(s, h->type, h->size, time_words(h->type)))
		return NULL;
	p->nr_shapes++;
	put(&p->control, &s->head, sizeof(s->head));
	put(&p->control, &s->times, sizeof(s->times));
	return s;
}

/* What changes with each value. By itself, so that it is kept in registers. */
struct put {
	uint8_t *values;
	uint64_t last_time;
	uint64_t sizes; /* a nibble for each word, the latest on top */
};

static inline void put_value(struct put *to, uint64_t value)
{
	uint64_t bytes = value ? 8 - (unsigned int)__builtin_clzll(value) / 8 : 0;

	memcpy(to->values, &value, sizeof(value));
	to->values += bytes;
	to->sizes = to->sizes >> 4 | bytes << 60;
}

static inline void put_time(struct put *to, uint64_t t_ns)
{
	if (!t_ns) {
		to->sizes = to->sizes >> 4 | (uint64_t)SIZE_OF_ZERO << 60;
		return;
	}
	put_value(to, fold(t_ns - to->last_time));
	to->last_time = t_ns;
}

static inline void put_word(struct put *to, const struct shape *s, unsigned int at, uint64_t word,
			    uint64_t before)
{
	if (s->times >> at & 1)
		put_time(to, word);
	else
		put_value(to, at ? fold(word - before) : fold_cpu(word - before));
}

static void pack_event(struct pack *p, struct shape *s, const uint64_t *event)
{
	const unsigned int words = s->words;
	const uint64_t *before = s->before;
	struct put to = {.values = p->values, .last_time = p->last_time};
	uint8_t *mask_at = p->control, *control = mask_at + (words + 7) / 8;
	uint64_t stored = 0;
	unsigned int n = 0;

	for (unsigned int at = 0; at < words; at++) {
		if (event[at] == before[at])
			continue;
		stored |= 1ull << at;
		put_word(&to, s, at, event[at], before[at]);
		if (++n % SIZES_PER_WORD == 0)
			put(&control, &to.sizes, sizeof(to.sizes));
	}
	memcpy(mask_at, &stored, (words + 7) / 8);
	n %= SIZES_PER_WORD;
	to.sizes >>= 4 * (SIZES_PER_WORD - n) % 64;
	memcpy(control, &to.sizes, sizeof(to.sizes));
	p->control = control + (n + 1) / 2;
	p->values = to.values;
	p->last_time = to.last_time;
	s->before = event;
}

bool event_pack(struct event_streams *to, const void *events, size_t len)
{
	struct pack p = {.control = to->control, .values = to->values};
	const uint64_t *at = events, *end = at + len / sizeof(*at);

	while (at < end) {
		const struct event_header *h = (const struct event_header *)at;
		struct shape *s = pack_shape(&p, h);

		if (!s || s->words > (size_t)(end - at))
			return false;
		pack_event(&p, s, at);
		at += s->words;
	}
	to->control_bytes = (size_t)(p.control - to->control);
	to->values_bytes = (size_t)(p.values - to->values);
	return true;
}

static bool take(struct unpack *u, void *into, size_t len)
{
	if ((size_t)(u->control_end - u->control) < len)
		return false;
	memcpy(into, u->control, len);
	u->control += len;
	return true;
}

static struct shape *unpack_shape(struct unpack *u)
{
	struct {
		uint16_t type, size;
	} head;
	uint64_t times;
	uint8_t at;

	if (!take(u, &at, sizeof(at)) || at > u->nr_shapes || at == EVENT_PACK_MAX_SHAPES)
		return NULL;
	if (at < u->nr_shapes)
		return &u->shapes[at];
	if (!take(u, &head, sizeof(head)) || !take(u, &times, sizeof(times)) ||
	    !shape_init(&u->shapes[at], head.type, head.size, times))
		return NULL;
	u->nr_shapes++;
	return &u->shapes[at];
}

/* What changes with each value; by itself as struct put is. */
struct got {
	const uint8_t *values;
	uint64_t last_time;
};

/* A value of up to 8 bytes, which are there. */
static inline uint64_t get_value(struct got *from, unsigned int bytes)
{
	static const uint64_t masks[] = {
		0,	    0xff,	  0xffff,	  0xffffff,
		0xffffffff, 0xffffffffff, 0xffffffffffff, 0xffffffffffffff,
		UINT64_MAX,
	};
	uint64_t value;

	memcpy(&value, from->values, sizeof(value));
	from->values += bytes;
	return unfold(value & masks[bytes]);
}

/*
 * The words that differ from those of the event before, which are there; their sizes too. enough:
 * so are their values, whatever their sizes.
 */
static inline __attribute__((always_inline)) bool
unpack_words(struct unpack *u, const struct shape *s, uint64_t stored, uint64_t *event, bool enough)
{
	struct got from = {.values = u->values, .last_time = u->last_time};
	const uint8_t *end = u->values_end, *control = u->control;
	unsigned int two_sizes = 0;

	for (unsigned int n = 0; stored; stored &= stored - 1, n++) {
		unsigned int at = (unsigned int)__builtin_ctzll(stored), size;
		bool is_time = s->times >> at & 1;

		two_sizes = n % 2 ? two_sizes >> 4 : *control++;
		size = two_sizes & 0xf;
		if (size > sizeof(uint64_t)) {
			if (!is_time || size != SIZE_OF_ZERO)
				return false;
			event[at] = 0;
			continue;
		}
		if (!enough && size > (size_t)(end - from.values))
			return false;
		if (is_time)
			event[at] = from.last_time += get_value(&from, size);
		else
			event[at] += get_value(&from, size) << (at ? 0 : CPU_SHIFT);
	}
	u->control = control;
	u->values = from.values;
	u->last_time = from.last_time;
	return true;
}

/* Are the sizes of these words there? Counting bits is a call where the CPU may lack POPCNT. */
static bool has_sizes(const struct unpack *u, const struct shape *s, uint64_t stored)
{
	size_t left = (size_t)(u->control_end - u->control);

	return left >= (s->words + 1) / 2 || left >= ((size_t)__builtin_popcountll(stored) + 1) / 2;
}

static bool unpack_event(struct unpack *u, struct shape *s, uint64_t *event)
{
	uint64_t stored = 0;

	if (!take(u, &stored, (s->words + 7) / 8) || stored & ~s->all || !has_sizes(u, s, stored))
		return false;
	memcpy(event, s->before, s->words * sizeof(*event));
	s->before = event;
	if ((size_t)(u->values_end - u->values) >= s->words * sizeof(*event))
		return unpack_words(u, s, stored, event, true);
	return unpack_words(u, s, stored, event, false);
}

bool event_unpack(void *events, size_t len, const struct event_streams *from)
{
	struct unpack u = {
		.control = from->control,
		.control_end = from->control + from->control_bytes,
		.values = from->values,
		.values_end = from->values + from->values_bytes,
	};
	uint64_t *at = events, *end = at + len / sizeof(*at);

	while (at < end) {
		struct shape *s = unpack_shape(&u);

		if (!s || s->words > (size_t)(end - at) || !unpack_event(&u, s, at))
			return false;
		at += s->words;
	}
	return len % sizeof(*at) == 0 && u.control == u.control_end && u.values == u.values_end;
}
