#include "common/keystore_token_private.h"

#include "common/err.h"
#include "common/keystore_uri.h"
#include "common/owned.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/objects.h>
#include <openssl/rand.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SLOTS	32
#define MAX_ENVIRONMENT	16

/* The one module of this process. */
static struct {
	char			*path;	/* owned; NULL: none is configured */
	char			*environment[MAX_ENVIRONMENT];	/* owned */
	size_t			 n_environment;
	CK_FUNCTION_LIST	*f;	/* NULL: not started */
} module;

/*
 * Who is logged in: a token lets the second session of a process in without
 * looking at its PIN, so we do, against a keyed digest of the first one.
 */
static struct {
	CK_SLOT_ID	 slot;
	size_t		 sessions;	/* 0: the row is free */
	CK_RV		 failure;	/* of a signature; CKR_OK: none */
	uint8_t		 pin_mac[32];
} logins[MAX_SLOTS];
static uint8_t mac_key[32];

const char *
token_reason(CK_RV rv)
{
	static const struct {
		CK_RV		 rv;
		const char	*text;
	} reasons[] = {
		{ CKR_GENERAL_ERROR, "CKR_GENERAL_ERROR" },
		{ CKR_FUNCTION_FAILED, "CKR_FUNCTION_FAILED" },
		{ CKR_DEVICE_ERROR, "CKR_DEVICE_ERROR" },
		{ CKR_DEVICE_REMOVED, "CKR_DEVICE_REMOVED" },
		{ CKR_TOKEN_NOT_PRESENT, "CKR_TOKEN_NOT_PRESENT" },
		{ CKR_TOKEN_NOT_RECOGNIZED, "CKR_TOKEN_NOT_RECOGNIZED" },
		{ CKR_SLOT_ID_INVALID, "CKR_SLOT_ID_INVALID" },
		{ CKR_SESSION_HANDLE_INVALID, "CKR_SESSION_HANDLE_INVALID" },
		{ CKR_SESSION_CLOSED, "CKR_SESSION_CLOSED" },
		{ CKR_KEY_HANDLE_INVALID, "CKR_KEY_HANDLE_INVALID" },
		{ CKR_OBJECT_HANDLE_INVALID, "CKR_OBJECT_HANDLE_INVALID" },
		{ CKR_MECHANISM_INVALID, "CKR_MECHANISM_INVALID" },
		{ CKR_USER_NOT_LOGGED_IN, "CKR_USER_NOT_LOGGED_IN" },
		{ CKR_PIN_INCORRECT, "CKR_PIN_INCORRECT" },
		{ CKR_PIN_LOCKED, "CKR_PIN_LOCKED" },
		{ CKR_TOKEN_WRITE_PROTECTED, "CKR_TOKEN_WRITE_PROTECTED" },
	};
	static char other[32];

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].rv == rv)
			return reasons[i].text;
	snprintf(other, sizeof(other), "error 0x%lx", rv);
	return other;
}

static int
fail(struct err *err, enum err_kind kind, const char *doing, CK_RV rv)
{
	return err_set(err, kind, "the token failed at %s: %s", doing,
	    token_reason(rv));
}

/* --- the module ------------------------------------------------------------- */
int
token_use_module(const char *path, const char *const *environment, size_t n,
    struct err *err)
{
	if (module.f != NULL || n > MAX_ENVIRONMENT)
		return err_set(err, ERR_FAULT, module.f != NULL ?
		    "a PKCS#11 module is loaded already" :
		    "too many variables for the PKCS#11 module");
	free(module.path);
	module.path = path[0] == '\0' ? NULL : strdup(path);
	while (module.n_environment > 0)
		free(module.environment[--module.n_environment]);
	for (size_t i = 0; i < n; i++)
		if ((module.environment[i] = strdup(environment[i])) != NULL)
			module.n_environment++;
	if (module.n_environment != n ||
	    (path[0] != '\0' && module.path == NULL))
		return err_errno(err, ERR_RETRY, "out of memory");
	return 0;
}

static int
set_environment(struct err *err)
{
	for (size_t i = 0; i < module.n_environment; i++) {
		char *equals = strchr(module.environment[i], '=');
		int r;

		if (equals == NULL)
			continue;
		*equals = '\0';
		r = setenv(module.environment[i], equals + 1, 1);
		*equals = '=';
		if (r != 0)
			return err_errno(err, ERR_RETRY, "out of memory");
	}
	return 0;
}

int
token_start(struct err *err)
{
	CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };
	CK_C_GetFunctionList get_list;
	CK_FUNCTION_LIST *list;
	void *library;
	CK_RV rv;

	if (module.f != NULL)
		return 0;
	if (module.path == NULL)
		return err_set(err, ERR_FAULT, "a key is in a token, and "
		    "pkcs11_module does not say by which module to reach it");
	if (set_environment(err) < 0 ||
	    RAND_priv_bytes(mac_key, sizeof(mac_key)) != 1)
		return err_openssl(err, ERR_FAULT, "starting a token");
	library = dlopen(module.path, RTLD_NOW | RTLD_LOCAL);
	if (library == NULL)
		return err_set(err, ERR_FAULT, "%.200s", dlerror());
	*(void **)&get_list = dlsym(library, "C_GetFunctionList");
	if (get_list == NULL || get_list(&list) != CKR_OK ||
	    list->version.major != 2) {
		dlclose(library);
		return err_set(err, ERR_FAULT,
		    "%.200s is no PKCS#11 module of version 2", module.path);
	}
	rv = list->C_Initialize(&args);
	if (rv != CKR_OK && rv != CKR_CRYPTOKI_ALREADY_INITIALIZED) {
		dlclose(library);
		return err_set(err, ERR_FAULT, "%.180s does not start: %s",
		    module.path, token_reason(rv));
	}
	module.f = list;
	return 0;
}

/* --- tokens ----------------------------------------------------------------- */
/* Fields of Cryptoki have no end but are padded with blanks. */
static bool
field_is(const CK_UTF8CHAR *field, size_t size,
    const struct keystore_uri_value *want)
{
	while (size > 0 && field[size - 1] == ' ')
		size--;
	return want->len == 0 || bytes_equal((struct bytes){ field, size },
	    (struct bytes){ want->data, want->len });
}

static bool
fits(CK_SLOT_ID slot, const struct keystore_uri *uri)
{
	CK_TOKEN_INFO info;

	return module.f->C_GetTokenInfo(slot, &info) == CKR_OK &&
	    (info.flags & CKF_TOKEN_INITIALIZED) != 0 &&
	    field_is(info.label, sizeof(info.label), &uri->token) &&
	    field_is(info.manufacturerID, sizeof(info.manufacturerID),
	    &uri->manufacturer) &&
	    field_is(info.model, sizeof(info.model), &uri->model) &&
	    field_is(info.serialNumber, sizeof(info.serialNumber),
	    &uri->serial);
}

static int
find_slot(const struct keystore_uri *uri, CK_SLOT_ID *out, struct err *err)
{
	CK_SLOT_ID slots[MAX_SLOTS];
	CK_ULONG n = 0;
	size_t found = 0;
	CK_RV rv;

	/* Without room for them first: only that looks for tokens anew. */
	rv = module.f->C_GetSlotList(CK_TRUE, NULL, &n);
	n = MAX_SLOTS;
	if (rv == CKR_OK)
		rv = module.f->C_GetSlotList(CK_TRUE, slots, &n);
	if (rv != CKR_OK)
		return fail(err, ERR_RETRY, "listing the tokens", rv);
	for (CK_ULONG i = 0; i < n; i++)
		if (fits(slots[i], uri) && found++ == 0)
			*out = slots[i];
	if (found == 0)
		return err_set(err, ERR_RETRY, "no token that is there now "
		    "fits the key's pkcs11: URI");
	return found == 1 ? 0 : err_set(err, ERR_FAULT, "%zu tokens fit the "
	    "key's pkcs11: URI; say which by its serial", found);
}

/* --- sessions --------------------------------------------------------------- */
static int
digest_pin(struct bytes pin, uint8_t out[32], struct err *err)
{
	return HMAC(EVP_sha256(), mac_key, sizeof(mac_key), pin.data, pin.len,
	    out, NULL) != NULL ? 0 :
	    err_openssl(err, ERR_FAULT, "hashing a PIN");
}

/* The row of that slot, or a free one. NULL: none is left. */
static size_t
find_login(CK_SLOT_ID slot)
{
	size_t spare = MAX_SLOTS;

	for (size_t i = 0; i < MAX_SLOTS; i++) {
		if (logins[i].sessions > 0 && logins[i].slot == slot)
			return i;
		if (logins[i].sessions == 0 && spare == MAX_SLOTS)
			spare = i;
	}
	return spare;
}

static int
wrong_pin(struct err *err)
{
	return err_set(err, ERR_FAULT, "the PIN does not open the token");
}

static int
log_in(CK_SESSION_HANDLE session, CK_SLOT_ID slot, struct bytes pin,
    struct err *err)
{
	size_t row = find_login(slot);
	uint8_t mac[32];
	CK_RV rv;

	if (row == MAX_SLOTS)
		return err_set(err, ERR_FAULT, "too many tokens are in use");
	if (digest_pin(pin, mac, err) < 0)
		return -1;
	rv = module.f->C_Login(session, CKU_USER,
	    (CK_UTF8CHAR *)(uintptr_t)pin.data, pin.len);
	switch (rv) {
	case CKR_OK:
		break;
	case CKR_USER_ALREADY_LOGGED_IN:
		if (logins[row].sessions > 0 &&
		    CRYPTO_memcmp(mac, logins[row].pin_mac, 32) == 0)
			break;
		return wrong_pin(err);
	case CKR_PIN_INCORRECT:
	case CKR_PIN_INVALID:
	case CKR_PIN_LEN_RANGE:
		return wrong_pin(err);
	case CKR_PIN_LOCKED:
		return err_set(err, ERR_FAULT, "the token's PIN is locked "
		    "after too many wrong ones; its security officer can set "
		    "a new one");
	default:
		return fail(err, ERR_RETRY, "logging in", rv);
	}
	if (logins[row].sessions++ == 0)
		logins[row].failure = CKR_OK;
	logins[row].slot = slot;
	memcpy(logins[row].pin_mac, mac, 32);
	return 0;
}

/* The token as a whole: what ails it ails its other keys too. */
void
token_key_fail(const struct token_key *key, CK_RV rv)
{
	size_t row = find_login(key->slot);

	if (row < MAX_SLOTS && logins[row].sessions > 0)
		logins[row].failure = rv;
}

CK_RV
token_key_failure(const struct token_key *key)
{
	size_t row = find_login(key->slot);

	return row < MAX_SLOTS && logins[row].sessions > 0 ?
	    logins[row].failure : CKR_OK;
}

void
token_key_close(struct token_key *key)
{
	size_t row = find_login(key->slot);

	if (row < MAX_SLOTS && logins[row].sessions > 0 &&
	    --logins[row].sessions == 0) {
		key->module->C_Logout(key->session);
		OPENSSL_cleanse(logins[row].pin_mac, 32);
	}
	key->module->C_CloseSession(key->session);
	free(key);
}

static void
token_key_release(struct token_key **key)
{
	if (*key != NULL)
		token_key_close(*key);
}

static bool
is_in_use(void)
{
	for (size_t i = 0; i < MAX_SLOTS; i++)
		if (logins[i].sessions > 0)
			return true;
	return false;
}

/* Some modules, SoftHSM for one, see a token that came back only when they
 * begin anew. */
static int
find_slot_again(const struct keystore_uri *uri, CK_SLOT_ID *out,
    struct err *err)
{
	CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };
	CK_RV rv;

	if (find_slot(uri, out, err) == 0)
		return 0;
	if (err->kind != ERR_RETRY || is_in_use())
		return -1;
	module.f->C_Finalize(NULL);
	rv = module.f->C_Initialize(&args);
	if (rv != CKR_OK)
		return fail(err, ERR_RETRY, "starting again", rv);
	return find_slot(uri, out, err);
}

/* A session of its own for each key: one that fails takes no other along. */
static int
open_session(const struct keystore_uri *uri, bool writable, struct bytes pin,
    struct token_key **out, struct err *err)
{
	struct token_key *key;
	CK_SESSION_HANDLE session;
	CK_SLOT_ID slot = 0;
	CK_RV rv;

	if (find_slot_again(uri, &slot, err) < 0)
		return -1;
	key = calloc(1, sizeof(*key));
	if (key == NULL)
		return err_errno(err, ERR_RETRY, "opening a token");
	rv = module.f->C_OpenSession(slot, CKF_SERIAL_SESSION |
	    (writable ? CKF_RW_SESSION : 0), NULL, NULL, &session);
	if (rv != CKR_OK) {
		free(key);
		return fail(err, ERR_RETRY, "opening a session", rv);
	}
	if (log_in(session, slot, pin, err) < 0) {
		module.f->C_CloseSession(session);
		free(key);
		return -1;
	}
	*key = (struct token_key){ .module = module.f, .slot = slot,
		.session = session };
	*out = key;
	return 0;
}

/* --- objects ---------------------------------------------------------------- */
/* What names the key; more is put behind it by the caller. */
static CK_ULONG
name_object(const struct keystore_uri *uri, CK_ATTRIBUTE *out)
{
	CK_ULONG n = 0;

	if (uri->object.len > 0)
		out[n++] = (CK_ATTRIBUTE){ CKA_LABEL,
			(void *)(uintptr_t)uri->object.data, uri->object.len };
	if (uri->id.len > 0)
		out[n++] = (CK_ATTRIBUTE){ CKA_ID,
			(void *)(uintptr_t)uri->id.data, uri->id.len };
	return n;
}

/* How many there are, 2 for more than one; *out is the first. */
static int
find_objects(CK_SESSION_HANDLE session, const struct keystore_uri *uri,
    CK_OBJECT_CLASS class, CK_OBJECT_HANDLE *out, CK_ULONG *n,
    struct err *err)
{
	CK_ATTRIBUTE template[3];
	CK_ULONG named = name_object(uri, template);
	CK_OBJECT_HANDLE found[2] = { 0 };
	CK_RV rv;

	template[named++] = (CK_ATTRIBUTE){ CKA_CLASS, &class, sizeof(class) };
	*n = 0;
	rv = module.f->C_FindObjectsInit(session, template, named);
	if (rv == CKR_OK) {
		rv = module.f->C_FindObjects(session, found, 2, n);
		module.f->C_FindObjectsFinal(session);
	}
	if (rv != CKR_OK)
		return fail(err, ERR_RETRY, "looking for a key", rv);
	*out = found[0];
	return 0;
}

/* 1: there is no such key. key is taken on success. */
static int
open_object(const struct keystore_uri *uri, struct token_key **key,
    EVP_PKEY **out, struct err *err)
{
	CK_OBJECT_HANDLE public_object = 0;
	CK_ULONG n;

	if (find_objects((*key)->session, uri, CKO_PRIVATE_KEY,
	    &(*key)->object, &n, err) < 0)
		return -1;
	if (n == 0)
		return 1;
	if (n > 1)
		return err_set(err, ERR_FAULT, "more than one key in the "
		    "token fits the pkcs11: URI; name its id");
	if (find_objects((*key)->session, uri, CKO_PUBLIC_KEY, &public_object,
	    &n, err) < 0 || token_key_wrap(*key, public_object, out, err) < 0)
		return -1;
	*key = NULL;
	return 0;
}

/* What both begin with. */
static int
enter(struct bytes text, bool writable, struct bytes pin,
    struct keystore_uri *uri, struct token_key **key, struct err *err)
{
	if (keystore_uri_read(text, uri, err) < 0 || token_start(err) < 0)
		return -1;
	return open_session(uri, writable, pin, key, err);
}

int
token_open_key(struct bytes text, struct bytes pin, EVP_PKEY **out,
    struct err *err)
{
	__attribute__((cleanup(token_key_release))) struct token_key *key =
	    NULL;
	struct keystore_uri uri;
	int r;

	if (enter(text, false, pin, &uri, &key, err) < 0)
		return -1;
	r = open_object(&uri, &key, out, err);
	return r <= 0 ? r : err_set(err, ERR_FAULT,
	    "the token has no key that fits the pkcs11: URI");
}

/* --- making ----------------------------------------------------------------- */
static const struct {
	enum key_kind	kind;
	int		curve;		/* NID_undef: RSA */
	int		type;		/* EVP_PKEY_get_base_id */
} kinds[] = {
	{ KEY_RSA,	NID_undef,		EVP_PKEY_RSA },
	{ KEY_P256,	NID_X9_62_prime256v1,	EVP_PKEY_EC },
	{ KEY_P384,	NID_secp384r1,		EVP_PKEY_EC },
	{ KEY_P521,	NID_secp521r1,		EVP_PKEY_EC },
};

static int
find_kind(enum key_kind kind, size_t *out, struct err *err)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].kind == kind) {
			*out = i;
			return 0;
		}
	return err_set(err, ERR_REJECT, "a token makes RSA, P-256, P-384 and "
	    "P-521 keys; %s is for files", key_kind_name(kind));
}

static int
generate(CK_SESSION_HANDLE session, struct keystore_uri *uri, int curve,
    CK_ULONG bits, struct err *err)
{
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	uint8_t exponent[] = { 1, 0, 1 }, *parameters = NULL;
	CK_MECHANISM how = { curve == NID_undef ?
		CKM_RSA_PKCS_KEY_PAIR_GEN : CKM_EC_KEY_PAIR_GEN, NULL, 0 };
	CK_ATTRIBUTE public[8], private[8];
	CK_ULONG n_public, n_private;
	CK_OBJECT_HANDLE ignored[2];
	int len = 0;
	CK_RV rv;

	/* The public half is found by what both are called. */
	if (uri->id.len == 0) {
		uri->id.len = 16;
		if (RAND_bytes(uri->id.data, 16) != 1)
			return err_openssl(err, ERR_RETRY, "naming a key");
	}
	if (curve != NID_undef && (len = i2d_ASN1_OBJECT(OBJ_nid2obj(curve),
	    &parameters)) <= 0)
		return err_openssl(err, ERR_FAULT, "naming a curve");
	n_public = name_object(uri, public);
	n_private = name_object(uri, private);
	public[n_public++] = (CK_ATTRIBUTE){ CKA_TOKEN, &yes, sizeof(yes) };
	public[n_public++] = (CK_ATTRIBUTE){ CKA_VERIFY, &yes, sizeof(yes) };
	if (curve == NID_undef) {
		public[n_public++] = (CK_ATTRIBUTE){ CKA_MODULUS_BITS, &bits,
			sizeof(bits) };
		public[n_public++] = (CK_ATTRIBUTE){ CKA_PUBLIC_EXPONENT,
			exponent, sizeof(exponent) };
	} else {
		public[n_public++] = (CK_ATTRIBUTE){ CKA_EC_PARAMS, parameters,
			(CK_ULONG)len };
	}
	private[n_private++] = (CK_ATTRIBUTE){ CKA_TOKEN, &yes, sizeof(yes) };
	private[n_private++] = (CK_ATTRIBUTE){ CKA_PRIVATE, &yes,
		sizeof(yes) };
	private[n_private++] = (CK_ATTRIBUTE){ CKA_SENSITIVE, &yes,
		sizeof(yes) };
	private[n_private++] = (CK_ATTRIBUTE){ CKA_EXTRACTABLE, &no,
		sizeof(no) };
	private[n_private++] = (CK_ATTRIBUTE){ CKA_SIGN, &yes, sizeof(yes) };
	rv = module.f->C_GenerateKeyPair(session, &how, public, n_public,
	    private, n_private, &ignored[0], &ignored[1]);
	OPENSSL_free(parameters);
	return rv == CKR_OK ? 0 : fail(err, ERR_RETRY, "making a key", rv);
}

static int
check_kind(EVP_PKEY *key, size_t i, unsigned int bits, struct err *err)
{
	char curve[32] = "";

	if (kinds[i].curve != NID_undef)
		EVP_PKEY_get_group_name(key, curve, sizeof(curve), NULL);
	if (EVP_PKEY_get_base_id(key) == kinds[i].type &&
	    (kinds[i].curve == NID_undef ?
	    EVP_PKEY_get_bits(key) == (int)bits :
	    OBJ_sn2nid(curve) == kinds[i].curve))
		return 0;
	return err_set(err, ERR_REJECT, "the key that is in the token is no "
	    "%s key of the size asked for", key_kind_name(kinds[i].kind));
}

int
token_obtain_key(struct bytes text, enum key_kind kind, unsigned int bits,
    struct bytes pin, EVP_PKEY **out, struct err *err)
{
	__attribute__((cleanup(token_key_release))) struct token_key *key =
	    NULL;
	OWNED(EVP_PKEY) *found = NULL;
	struct keystore_uri uri;
	size_t i = 0;
	int r;

	if (find_kind(kind, &i, err) < 0 ||
	    enter(text, true, pin, &uri, &key, err) < 0)
		return -1;
	r = open_object(&uri, &key, &found, err);
	if (r == 1) {
		if (generate(key->session, &uri, kinds[i].curve, bits,
		    err) < 0)
			return -1;
		r = open_object(&uri, &key, &found, err);
	}
	if (r == 1)
		return err_set(err, ERR_FAULT,
		    "the token does not show the key that it made");
	if (r < 0 || check_kind(found, i, bits, err) < 0)
		return -1;
	*out = TAKE(found);
	return 0;
}
