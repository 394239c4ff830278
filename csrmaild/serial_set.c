#include "csrmaild/serial_set.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <stdlib.h>
#include <string.h>

#define FIRST_PLACES	((size_t)4096)

static uint64_t
tag_of(const struct serial_set *set, const struct serial *serial)
{
	uint8_t octets[16 + sizeof(serial->octets)], digest[32];
	uint64_t tag = 0;

	memcpy(octets, set->key, 16);
	memcpy(octets + 16, serial->octets, serial->len);
	if (EVP_Digest(octets, 16u + serial->len, digest, NULL, EVP_sha256(),
	    NULL) == 1)
		memcpy(&tag, digest, sizeof(tag));
	return tag == 0 ? 1 : tag;
}

/* Its place, or the free one where it would be. */
static size_t
find(const uint64_t *places, size_t n, uint64_t tag)
{
	size_t i = (size_t)tag & (n - 1);

	while (places[i] != 0 && places[i] != tag)
		i = (i + 1) & (n - 1);
	return i;
}

static int
grow(struct serial_set *set)
{
	size_t n = set->n_places == 0 ? FIRST_PLACES : set->n_places * 2;
	uint64_t *places = n > SERIAL_SET_MAX ? NULL :
	    calloc(n, sizeof(*places));

	if (places == NULL ||
	    (set->n_places == 0 && RAND_bytes(set->key, 16) != 1)) {
		free(places);
		return -1;
	}
	for (size_t i = 0; i < set->n_places; i++)
		if (set->places[i] != 0)
			places[find(places, n, set->places[i])] =
			    set->places[i];
	free(set->places);
	set->places = places;
	set->n_places = n;
	return 0;
}

int
serial_set_add(struct serial_set *set, const struct serial *serial)
{
	uint64_t tag;
	size_t i;

	if (set->n * 4 >= set->n_places * 3 && grow(set) < 0)
		return -1;
	tag = tag_of(set, serial);
	i = find(set->places, set->n_places, tag);
	if (set->places[i] == tag)
		return 1;
	set->places[i] = tag;
	set->n++;
	return 0;
}

bool
serial_set_has(const struct serial_set *set, const struct serial *serial)
{
	uint64_t tag;

	if (set->n_places == 0)
		return false;
	tag = tag_of(set, serial);
	return set->places[find(set->places, set->n_places, tag)] == tag;
}

void
serial_set_free(struct serial_set *set)
{
	free(set->places);
	*set = SERIAL_SET_NONE;
}
