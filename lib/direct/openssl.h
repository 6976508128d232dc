#ifndef DIRECT_OPENSSL_H
#define DIRECT_OPENSSL_H

/*
 * OpenSSL 3, loaded when first needed: only its headers are needed to build.
 * Members are its functions.
 */

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

/* The functions that are looked up, F(name) each. */
/* clang-format off */
#define OPENSSL_FUNCTIONS(F)                                                   \
	F(TLS_client_method)                                                   \
	F(SSL_CTX_new) F(SSL_CTX_free) F(SSL_CTX_ctrl)                         \
	F(SSL_CTX_set_verify) F(SSL_CTX_set_default_verify_paths)              \
	F(SSL_CTX_load_verify_file) F(SSL_CTX_load_verify_dir)                 \
	F(SSL_CTX_get_cert_store) F(SSL_CTX_use_certificate_chain_file)        \
	F(SSL_CTX_use_PrivateKey_file) F(SSL_CTX_check_private_key)            \
	F(SSL_CTX_set_default_passwd_cb)                                       \
	F(SSL_CTX_set_default_passwd_cb_userdata)                              \
	F(SSL_CTX_set_cipher_list) F(SSL_CTX_set_options)                      \
	F(SSL_new) F(SSL_free) F(SSL_set_fd) F(SSL_ctrl) F(SSL_set1_host)      \
	F(SSL_get0_param) F(SSL_connect) F(SSL_read_ex) F(SSL_write_ex)        \
	F(SSL_get_error) F(SSL_get_verify_result)                              \
	F(X509_VERIFY_PARAM_set1_ip_asc) F(X509_verify_cert_error_string)      \
	F(X509_STORE_add_cert) F(X509_free)                                    \
	F(BIO_new_mem_buf) F(BIO_free) F(PEM_read_bio_X509)                    \
	F(ERR_get_error) F(ERR_clear_error) F(ERR_reason_error_string)         \
	F(EVP_sha256) F(EVP_sha512) F(EVP_Digest) F(HMAC)                      \
	F(PKCS5_PBKDF2_HMAC)
/* clang-format on */

#define OPENSSL_MEMBER(name) __typeof__(&(name)) name;
struct openssl {
	OPENSSL_FUNCTIONS(OPENSSL_MEMBER)
};
#undef OPENSSL_MEMBER

extern struct openssl openssl;

/* STATUS_CLIENT: it cannot be; openssl_why() says why. */
int openssl_load(void);
const char *openssl_why(void);

#endif
