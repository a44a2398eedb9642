// SPDX-License-Identifier: Apache-2.0
// Implements pem.h with OpenSSL.
#include "common/base/pem.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>

#include "common/base/file.h"
#include "common/base/secret.h"
#include "common/base/status.h"

namespace heterosis {
namespace {

constexpr size_t kPemBytesMax = 4 << 20;

template <auto Free>
struct Freer {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Bio = std::unique_ptr<BIO, Freer<BIO_free>>;
using Certificate = std::unique_ptr<X509, Freer<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;

// Asked for a passphrase: there is none. OpenSSL would ask on the terminal.
int NoPassphrase(char*, int, int, void*) {
  return -1;
}

Certificate FirstCertificate(const std::string& text) {
  const Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, NoPassphrase, nullptr));
  ERR_clear_error();
  return certificate;
}

Key PrivateKey(const std::string& text) {
  const Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassphrase, nullptr));
  ERR_clear_error();
  return key;
}

absl::Status CheckDates(X509* certificate, const std::string& place) {
  if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0) {
    return absl::FailedPreconditionError(absl::StrCat(place, " has expired: make a new one"));
  }
  if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0) {
    return absl::FailedPreconditionError(absl::StrCat(place, " is not valid yet: is this machine's clock right?"));
  }
  return absl::OkStatus();
}

// A certificate file holds nothing secret and may be read by anyone.
absl::StatusOr<std::string> ReadPem(const std::string& path, const std::string& option) {
  absl::StatusOr<std::string> text = ReadFile(path, kPemBytesMax);
  if (!text.ok()) return Annotate(text.status(), option);
  return text;
}

}  // namespace

absl::StatusOr<KeyPair> ReadKeyPair(const std::string& certificate_path, const std::string& key_path) {
  KeyPair pair;
  ASSIGN_OR_RETURN(pair.certificate_chain, ReadPem(certificate_path, "--tls-cert"));
  ASSIGN_OR_RETURN(pair.private_key, ReadSecretFile(key_path, "--tls-key"));
  const std::string certificate_place = absl::StrCat("--tls-cert ", certificate_path);
  const Certificate certificate = FirstCertificate(pair.certificate_chain);
  if (certificate == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(certificate_place, " has no certificate in PEM form"));
  }
  RETURN_IF_ERROR(CheckDates(certificate.get(), certificate_place));
  const Key key = PrivateKey(pair.private_key);
  if (key == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("--tls-key ", key_path, " has no private key in PEM form without a passphrase"));
  }
  const bool match = X509_check_private_key(certificate.get(), key.get()) == 1;
  ERR_clear_error();
  if (!match) {
    return absl::InvalidArgumentError(
        absl::StrCat("--tls-key ", key_path, " is not the key of the certificate in ", certificate_path));
  }
  return pair;
}

absl::StatusOr<std::string> ReadAuthorities(const std::string& path, const std::string& option) {
  ASSIGN_OR_RETURN(std::string text, ReadPem(path, option));
  const std::string place = absl::StrCat(option, " ", path);
  const Certificate certificate = FirstCertificate(text);
  if (certificate == nullptr) return absl::InvalidArgumentError(absl::StrCat(place, " has no certificate in PEM form"));
  RETURN_IF_ERROR(CheckDates(certificate.get(), place));
  return text;
}

}  // namespace heterosis
