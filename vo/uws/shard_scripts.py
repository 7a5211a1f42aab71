"""The Lua scripts of the shards: each takes, keeps or ends one in an instant; keys as in `vo.uws.shards`.

All times are those of Redis, in milliseconds, so that the clocks of machines need not agree.
"""

from __future__ import annotations

_CURRENT = """
local function now()
    local time = redis.call('TIME')
    return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function forget(id, lane)
    redis.call('DEL', 'vo:shards:' .. id, 'vo:shards:' .. id .. ':left')
    redis.call('ZREM', 'vo:shards:open:' .. lane, id)
end

local function runs(id, attempt)
    local phase, latest = unpack(redis.call('HMGET', 'vo:job:' .. id, 'phase', 'attempt'))
    return phase == 'EXECUTING' and latest == attempt
end

local function is_open(id, attempt, stage)
    local known, which = unpack(redis.call('HMGET', 'vo:shards:' .. id, 'attempt', 'stage'))
    return known == attempt and which == stage
end

local function next_shard(id)
    return redis.call('ZRANGEBYSCORE', 'vo:shards:' .. id .. ':left', '-inf', now(), 'LIMIT', 0, 1)[1]
end
"""

OPEN = (
    _CURRENT
    + """
local id, lane, attempt, stage = unpack(ARGV, 1, 4)
if not runs(id, attempt) then return 0 end
forget(id, lane)
redis.call('HSET', 'vo:shards:' .. id, 'attempt', attempt, 'stage', stage)
for place = 5, #ARGV do redis.call('ZADD', 'vo:shards:' .. id .. ':left', place - 4, ARGV[place]) end
redis.call('ZADD', 'vo:shards:open:' .. lane, redis.call('INCR', 'vo:turn'), id)
return 1
"""
)
"""Open a stage of a job that still runs; the places of its shards are times long ago."""

TAKE = (
    _CURRENT
    + """
local lane, token, lease_ms, wanted = unpack(ARGV, 1, 4)
local ids = wanted and {wanted} or redis.call('ZRANGE', 'vo:shards:open:' .. lane, 0, -1)
for _, id in ipairs(ids) do
    local key = 'vo:shards:' .. id
    local attempt, stage, failed = unpack(redis.call('HMGET', key, 'attempt', 'stage', 'error'))
    if not attempt or not runs(id, attempt) then
        forget(id, lane)
    elseif not failed then
        local shard = next_shard(id)
        if shard then
            redis.call('ZADD', key .. ':left', now() + lease_ms, shard)
            redis.call('HSET', key, 'by:' .. shard, token)
            if not wanted then
                redis.call('ZADD', 'vo:shards:open:' .. lane, redis.call('INCR', 'vo:turn'), id)
            end
            return {id, attempt, stage, shard}
        end
    end
end
return {}
"""
)
"""Take a shard of one job, or of the job on the lane that was helped least lately."""

CAN_HELP = (
    _CURRENT
    + """
for _, id in ipairs(redis.call('ZRANGE', 'vo:shards:open:' .. ARGV[1], 0, -1)) do
    if next_shard(id) and redis.call('HEXISTS', 'vo:shards:' .. id, 'error') == 0 then return 1 end
end
return 0
"""
)
"""Whether there is a shard to take."""

RENEW = (
    _CURRENT
    + """
local id, attempt, stage, shard, token, lease_ms = unpack(ARGV, 1, 6)
local key = 'vo:shards:' .. id
if not is_open(id, attempt, stage) or redis.call('HGET', key, 'by:' .. shard) ~= token then return 0 end
return redis.call('ZADD', key .. ':left', 'XX', 'CH', now() + lease_ms, shard)
"""
)
"""Keep a shard for so long from now on, if it has not been taken by another; 0: give it back."""

FINISH = (
    _CURRENT
    + """
local id, attempt, stage, shard, worker = unpack(ARGV, 1, 5)
if not is_open(id, attempt, stage) then return 0 end
redis.call('HDEL', 'vo:shards:' .. id, 'by:' .. shard)
local was_left = redis.call('ZREM', 'vo:shards:' .. id .. ':left', shard)
if was_left == 1 then redis.call('HINCRBY', 'vo:shards:' .. id .. ':done', worker, 1) end
return was_left
"""
)
"""A shard is done."""

FAIL = (
    _CURRENT
    + """
local id, attempt, stage, error = unpack(ARGV, 1, 4)
if not is_open(id, attempt, stage) then return 0 end
return redis.call('HSETNX', 'vo:shards:' .. id, 'error', error)
"""
)
"""A shard failed, and with it the stage; the first error is kept."""

CLOSE = (
    _CURRENT
    + """
forget(ARGV[1], ARGV[2])
redis.call('DEL', 'vo:shards:' .. ARGV[1] .. ':done')
"""
)
"""There is nothing more to do for a job."""
