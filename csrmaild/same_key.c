#include "csrmaild/same_key.h"

#include "common/err.h"
#include "common/profile.h"
#include "common/serial.h"
#include "common/store.h"

struct holder {
	char		 hex[SERIAL_HEX_SIZE];
	char		 until[32];
};

static int
note_holder(const struct cert_row *row, void *arg)
{
	struct holder *holder = arg;
	struct tm tm;

	serial_to_hex(&row->serial, holder->hex);
	gmtime_r(&row->not_after, &tm);
	strftime(holder->until, sizeof(holder->until), "%Y-%m-%d", &tm);
	return 0;
}

int
same_key_check(struct store *store, const struct profile *profile,
    const uint8_t spki_sha256[32], time_t now, struct err *err)
{
	struct holder holder;
	int found;

	if (profile->same_key)
		return 0;
	found = store_find_key_in_use(store, spki_sha256, now, note_holder,
	    &holder, err);
	if (found != 0)
		return found == -1 ? -1 : 0;
	return err_set(err, ERR_REJECT, "the profile \"%s\" wants a new key "
	    "for each certificate, and this one is in certificate %s until "
	    "%s; make a new key and send a new request", profile->name,
	    holder.hex, holder.until);
}
