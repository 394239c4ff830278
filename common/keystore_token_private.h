#ifndef COMMON_KEYSTORE_TOKEN_PRIVATE_H
#define COMMON_KEYSTORE_TOKEN_PRIVATE_H

#include "common/keystore_token.h"

#include <p11-kit/pkcs11.h>

#include <stdbool.h>
#include <stdint.h>

/*
 * For common/keystore_token*.c only. keystore_token.c knows slots, sessions
 * and PINs; keystore_token_key.c makes an EVP_PKEY of an object in an open
 * session.
 */
struct token_key {
	CK_FUNCTION_LIST	*module;	/* borrowed */
	CK_SLOT_ID		 slot;
	CK_SESSION_HANDLE	 session;	/* owned, logged in */
	CK_OBJECT_HANDLE	 object;
};
/* Called when the EVP_PKEY is freed: ends the session. In
 * keystore_token.c. */
void	token_key_close(struct token_key *);
/* A signature failed; and did one, with any key of this token? CKR_OK: no. */
void	token_key_fail(const struct token_key *, CK_RV);
CK_RV	token_key_failure(const struct token_key *);

/*
 * The object as an EVP_PKEY; public_object 0: there is none. key is taken on
 * success.
 */
int	token_key_wrap(struct token_key *key, CK_OBJECT_HANDLE public_object,
	    EVP_PKEY **out, struct err *);

/* "CKR_PIN_INCORRECT", or "error 0x30" for a code without a name here. */
const char *token_reason(CK_RV);

#endif
