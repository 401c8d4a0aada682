/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which blocks of a file a random job has used: a bitmap whose upper levels say where all is used,
 * so that the next unused block is found in as many steps as there are levels.
 *
 * Costs one bit per block; jobs whose blocks have one size use a permutation instead, which costs
 * nothing. A real map is needed where an I/O may cover several blocks.
 */
#ifndef VFSCOPE_WORKLOADS_BLOCK_MAP_H
#define VFSCOPE_WORKLOADS_BLOCK_MAP_H

#include <stdbool.h>
#include <stdint.h>

#define BLOCK_MAP_MAX_BLOCKS (1ULL << 32) /* 520 MiB of map */
#define BLOCK_MAP_NONE UINT64_MAX

struct block_map;

/* NULL: out of memory. nr_blocks is 1 to BLOCK_MAP_MAX_BLOCKS. */
struct block_map *block_map_new(uint64_t nr_blocks);
void block_map_free(struct block_map *map); /* NULL is fine */

/* All blocks are unused again. */
void block_map_clear(struct block_map *map);

/* The first unused block at or behind block, else the first of all; BLOCK_MAP_NONE if none is left.
 */
uint64_t block_map_next(const struct block_map *map, uint64_t block);

/* Use up to count blocks from block on, until one that is used: how many those were. */
uint64_t block_map_use(struct block_map *map, uint64_t block, uint64_t count);

#endif
