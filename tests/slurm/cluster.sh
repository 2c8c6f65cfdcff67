#!/usr/bin/env bash
# A SLURM of one node with two processors on the loopback, for tests: nothing outside DIR is touched, no service is enabled.
# A job in the partition "urgent" takes the processors of those in "test", which are told so by the signal they asked for.
#   tests/slurm/cluster.sh up DIR      then: export SLURM_CONF=DIR/slurm.conf
#   tests/slurm/cluster.sh down DIR
# Debian and Ubuntu: apt-get install --no-install-recommends slurmctld slurmd slurm-client munge
set -euo pipefail
action=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
export SLURM_CONF=$dir/slurm.conf

free_ports() {
  python3 -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(s.getsockname()[1] for s in sockets))'
}

configure() {
  local controller_port node_port
  read -r controller_port node_port < <(free_ports)
  # cred_expire: a job that is queued again waits as long before it starts (120 s by default)
  # config_overrides: two processors, however many the machine has
  cat > "$SLURM_CONF" <<CONF
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort=$controller_port
SlurmdPort=$node_port
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$dir/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
ReturnToService=2
SchedulerParameters=batch_sched_delay=1,sched_interval=5
KillWait=10
NodeName=localhost NodeAddr=127.0.0.1 NodeHostname=$(hostname -s) CPUs=2 RealMemory=8000
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
PartitionName=test Nodes=ALL Default=YES PriorityTier=1 GraceTime=60
PartitionName=urgent Nodes=ALL PriorityTier=10
CONF
}

up() {
  mkdir -p "$dir/state" "$dir/spool"
  chmod 755 "$dir"
  head -c 1024 /dev/urandom > "$dir/munge.key"
  chmod 600 "$dir/munge.key"
  configure
  munged --force --key-file="$dir/munge.key" --socket="$dir/munge.socket" --pid-file="$dir/munged.pid" \
    --log-file="$dir/munged.log" --seed-file="$dir/munge.seed"
  slurmctld -c
  slurmd -N localhost
  for _ in $(seq 120); do
    [ "$(sinfo -h -o %T 2> /dev/null)" = idle ] && return
    sleep 0.5
  done
  echo "SLURM did not come up" >&2
  tail -n 20 "$dir"/*.log >&2
  return 1
}

down() {
  scancel --full --signal=KILL --user="$(id -un)" 2> /dev/null || true
  for _ in $(seq 40); do
    [ -z "$(squeue -h 2> /dev/null)" ] && break
    sleep 0.5
  done
  for daemon in slurmd slurmctld munged; do
    if [ -f "$dir/$daemon.pid" ]; then kill "$(cat "$dir/$daemon.pid")" || true; fi
  done
}

case $action in
  up) up || { down; exit 1; } ;;
  down) down ;;
  *) echo "usage: $0 up|down DIR" >&2; exit 2 ;;
esac
