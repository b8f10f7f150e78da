/**
 * Names of settings that stock or this program knows, for telling a mistyped one. Any name may be set: other versions have others,
 * and so have pages.
 *
 * Source: `fossil settings` of 2.21 and 2.29.
 */
export const SETTING_NAMES: readonly string[] = `
  access-log admin-log allow-symlinks anon-cookie-lifespan attachment-size-limit auto-captcha auto-
  hyperlink auto-hyperlink-delay auto-hyperlink-mouseover auto-shun autosync autosync-tries backoffice-
  disable backoffice-logfile backoffice-nodelay binary-glob case-sensitive chat-alert-sound chat-initial-
  history chat-inline-images chat-keep-count chat-keep-days chat-poll-timeout chat-timeline-user clean-
  glob clearsign comment-format crlf-glob crnl-glob default-csp default-perms default-skin default-user
  diff-binary diff-command dont-commit dont-push dotfiles editor email-admin email-listid email-renew-
  interval email-self email-send-command email-send-db email-send-dir email-send-method email-send-
  relayhost email-subname email-url empty-dirs encoding-glob exec-rel-paths fileedit-glob forbid-delta-
  manifests forum-close-policy forum-statuses forum-title gdiff-command gmerge-command hash-digits hash-
  policy hooks http-port https-login ignore-glob index-page keep-glob large-file-size localauth lock-
  timeout main-branch mainmenu manifest max-cache-entry max-download max-loadavg max-upload merge-strategy
  mimetypes mtime-changes mv-rm-files omitsign path-to-tag pgp-command preferred-diff-type project-
  description project-name proxy raw-bgcolor redirect-to-https regexp-limit relative-paths repo-cksum
  repolist-skin robot-exception robot-restrict robot-zip-leaf robot-zip-tag robots-txt safe-html self-pw-
  reset self-register short-project-name sitemap-extra ssh-command ssl-ca-location ssl-identity suggested-
  downloads tcl tcl-setup tclsh th1-docs th1-hooks th1-setup th1-uri-regexp ticket-default-report
  timeline-default-style timeline-hard-newlines timeline-mark-leaves timeline-plaintext timeline-truncate-
  at-blank timeline-tslink-info timeline-utc user-color-map uv-sync verify-comments vuln-report web-
  browser
`
  .trim()
  .split(/\s+/);
