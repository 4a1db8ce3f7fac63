#!/usr/bin/env bash
# Makes workers of an instance of Amazon Linux 2023. The user data of fleet-ec2.yaml runs it once, as root:
#
#   install.sh LANES WORKERS LOG_GROUP
#
# /etc/modfleet/worker.env holds the settings. Beside this file lie the wheel, requirements.lock and, for instances that
# reach no package index, `wheels/` with everything in that. Ends with 0 once all workers are live.
set -euo pipefail

lanes=$1
workers=$2
log_group=$3
here=$(cd "$(dirname "$0")" && pwd)
log=/var/log/modfleet/worker.log

dnf install --assumeyes --quiet python3.13 python3.13-pip amazon-cloudwatch-agent logrotate

python3.13 -m venv /opt/modfleet/venv
pip() { /opt/modfleet/venv/bin/python -m pip --quiet --disable-pip-version-check "$@"; }
from=()
if [[ -d $here/wheels ]]; then from=(--no-index --find-links "$here/wheels"); fi
pip install "${from[@]}" --require-hashes --no-deps --requirement "$here/requirements.lock"
pip install --no-deps "$here"/modfleet-*.whl

install -d -m 0755 /var/log/modfleet
install -m 0644 "$here/modfleet-worker@.service" /etc/systemd/system/
install -m 0644 "$here/logrotate.conf" /etc/logrotate.d/modfleet
printf "MODFLEET_LANES='%s'\n" "$lanes" >>/etc/modfleet/worker.env
sed "s|LOG_GROUP|$log_group|" "$here/agent.json" >/etc/modfleet/agent.json
/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl -a fetch-config -m ec2 -s -c file:/etc/modfleet/agent.json

systemctl daemon-reload
for number in $(seq "$workers"); do
  systemctl enable --now "modfleet-worker@$number.service"
done

# A worker that lacks something says what, and ends: then the stack is told that this failed.
for number in $(seq "$workers"); do
  until [[ -e /run/modfleet-$number/live ]]; do
    if ! systemctl is-active --quiet "modfleet-worker@$number.service" || ((SECONDS > 600)); then
      echo "modfleet-worker@$number is not live:" >&2
      tail -n 20 "$log" >&2
      exit 1
    fi
    sleep 1
  done
done
