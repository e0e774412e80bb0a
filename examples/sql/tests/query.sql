SELECT item.value ->> 'sku' AS key,
       json_object('order', record.value ->> 'id', 'sku', item.value ->> 'sku',
                   'cents', CAST(round(item.value ->> 'price' * 100) AS INTEGER),
                   'day', date(record.timestamp / 1000, 'unixepoch')) AS value,
       iif(item.value ->> 'price' >= 100, 'big', NULL) AS topic,
       header('trace') AS "header seen"
FROM record, json_each(record.value, '$.items') AS item
WHERE record.value ->> 'status' <> 'void'
