// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A bitmap with a summary tree of 64-bit words: bit i of a level says that word i of the level
 * below it is all ones.
 */
#include <stdlib.h>
#include <string.h>
#include "workloads/block_map.h"

#define WORD_BITS 64
#define MAX_LEVELS 6

struct block_map {
	uint64_t nr_blocks;
	unsigned int nr_levels;
	uint64_t nr_words[MAX_LEVELS];
	uint64_t *level[MAX_LEVELS]; /* level 0: the blocks */
};

static uint64_t words_for(uint64_t bits)
{
	return (bits + WORD_BITS - 1) / WORD_BITS;
}

struct block_map *block_map_new(uint64_t nr_blocks)
{
	struct block_map *map = calloc(1, sizeof(*map));
	uint64_t bits = nr_blocks;

	if (!map)
		return NULL;
	map->nr_blocks = nr_blocks;
	do {
		uint64_t words = words_for(bits);

		map->nr_words[map->nr_levels] = words;
		map->level[map->nr_levels] = malloc(words * sizeof(uint64_t));
		if (!map->level[map->nr_levels++]) {
			block_map_free(map);
			return NULL;
		}
		bits = words;
	} while (bits > 1);
	block_map_clear(map);
	return map;
}

void block_map_free(struct block_map *map)
{
	if (!map)
		return;
	for (unsigned int l = 0; l < map->nr_levels; l++)
		free(map->level[l]);
	free(map);
}

void block_map_clear(struct block_map *map)
{
	uint64_t bits = map->nr_blocks;

	for (unsigned int l = 0; l < map->nr_levels; l++) {
		memset(map->level[l], 0, map->nr_words[l] * sizeof(uint64_t));
		/* What lies behind the end counts as used. */
		if (bits % WORD_BITS)
			map->level[l][map->nr_words[l] - 1] = UINT64_MAX << bits % WORD_BITS;
		bits = map->nr_words[l];
	}
}

/* The first unset bit of this level at or behind bit, found through the levels above it. */
static uint64_t next_unset(const struct block_map *map, uint64_t bit)
{
	unsigned int l = 0;

	for (;;) {
		uint64_t word = bit / WORD_BITS;
		uint64_t open;

		if (word >= map->nr_words[l])
			return BLOCK_MAP_NONE;
		open = ~map->level[l][word] & UINT64_MAX << bit % WORD_BITS;
		if (open) {
			bit = word * WORD_BITS + __builtin_ctzll(open);
			if (!l)
				return bit;
			l--;
			bit *= WORD_BITS;
			continue;
		}
		bit = word + 1;
		if (++l == map->nr_levels)
			return BLOCK_MAP_NONE;
	}
}

uint64_t block_map_next(const struct block_map *map, uint64_t block)
{
	uint64_t next = block < map->nr_blocks ? next_unset(map, block) : BLOCK_MAP_NONE;

	return next == BLOCK_MAP_NONE ? next_unset(map, 0) : next;
}

static bool is_used(const struct block_map *map, uint64_t block)
{
	return map->level[0][block / WORD_BITS] >> block % WORD_BITS & 1;
}

static void use_one(struct block_map *map, uint64_t block)
{
	uint64_t bit = block;

	for (unsigned int l = 0; l < map->nr_levels; l++) {
		uint64_t *word = &map->level[l][bit / WORD_BITS];

		*word |= 1ULL << bit % WORD_BITS;
		if (*word != UINT64_MAX)
			break;
		bit /= WORD_BITS;
	}
}

uint64_t block_map_use(struct block_map *map, uint64_t block, uint64_t count)
{
	uint64_t n = 0;

	while (n < count && block + n < map->nr_blocks && !is_used(map, block + n))
		use_one(map, block + n++);
	return n;
}
