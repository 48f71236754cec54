"""WhatsApp's own words, by language: what stands for media, for what was deleted, for calls.

Only kinds hang on these tables (kinds.py): times, authors and texts are read without them.
Phrases are in lower case and without the punctuation around them.
"""

from __future__ import annotations

# What stands for an attachment where media were left out is a thing and that it is not there, in either order:
# `image omitted`, `pominięto wideo`. Things first, then, after the bar, the ways to say that they are missing.
OMITTED = {
    "af": "media foto video oudio dokument plakker | weggelaat uitgelaat",
    "ar": "الصورة|الفيديو|الفيديوهات|المقاطع الصوتية|المقطع الصوتي|الملصق|الملصقات|المستند|صورة gif|بطاقة جهة اتصال"
    "|الوسائط|وسائط | تم استبعاد|لم يتم إدراج|تم حذف|غير مشمولة|غير مشمول|محذوفة",
    "az": "media şəkil video audio sənəd stiker gif | buraxıldı çıxarılmışdır daxil&edilməyib",
    "bg": "файл медия изображение видео аудио стикер документ gif | без пропуснат пропусната пропуснато липсва",
    "bn": "মিডিয়া ইমেজ ছবি ভিডিও অডিও স্টিকার জিআইএফ ডকুমেন্ট পরিচিতির&কার্ড | বাদ&দেওয়া&হয়েছে বাদ&দেওয়া&হয়েছে",
    "ca": "imatge vídeo àudio adhesiu gif document targeta&de&contacte mitjans fitxers&multimèdia"
    " | omès omesa omesos omeses",
    "cs": "média obrázek video zvuk zvukový&soubor nálepka gif dokument vizitka audio"
    " | vynecháno vynechán vynechána vynechány",
    "da": "billede video lyd klistermærke gif dokument kontaktkort medier mediefil | udeladt",
    "de": "bild video audio sticker gif dokument kontaktkarte medien datei videonachricht | weggelassen"
    " ausgelassen ausgeschlossen entfernt fehlt fehlen nicht&enthalten",
    "el": "εικόνα βίντεο ήχος αυτοκόλλητο gif έγγραφο κάρτα&επαφής αρχείο αρχεία πολυμέσα πολυμέσων"
    " | παραλείφθηκε παραλήφθηκε παραλείφθηκαν παράληψη εξαίρεση",
    "en": "image photo picture video audio sticker gif document contact&card media voice&message video&note file"
    " view&once&message album | omitted not&included missing",
    "es": "imagen foto video vídeo audio sticker gif documento tarjeta&de&contacto multimedia archivo archivos medios"
    " nota&de&video | omitido omitida omitidos omitidas no&incluido",
    "et": "meedia pilt video heli kleebis gif dokument kontaktikaart | välja&jäetud ära&jäetud",
    "eu": "multimedia irudia bideoa audioa dokumentua | baztertuta kenduta",
    "fa": "رسانه|تصویر|ویدیو|ویدئو|صدا|استیکر|gif|سند|برگ مخاطب|پيوست نما/آهنگ | حذف شد|حذف شده",
    "fi": "media kuva kuvaa video videota äänitiedostoa tarraa dokumenttia ääni äänitiedosto tarra gif-animaatio"
    " gif dokumentti asiakirja yhteystietokortti"
    " | ei ei&sisällytetä ei&sisällytetty jätettiin&pois jätetty&pois poistettu puuttuu",
    "fil": "media larawan video audio sticker | inalis&ang walang&kalakip&na hindi&isinama",
    "fr": "image photo vidéo audio sticker autocollant gif document fiche&contact fichier médias média"
    " contact note&vidéo | omis omise omises absente absent absents retiré retirée manquant manquante non&inclus",
    "gl": "multimedia imaxe vídeo audio documento | omitido omitida",
    "gu": "છબી વિડિયો ઓડિયો&ફાઇલ સ્ટીકર gif ડોક્યુમેન્ટ સંપર્કનું&કાર્ડ મીડિયા મિડિયા"
    " | પડતી&મૂકાઈ પડતી&મુકાઈ પડતું&મુકાયું પડતું&મૂકાયું અવગણાયું શામેલ&કરી&નથી છોડી&મૂકાયું",
    "he": "תמונה התמונה וידאו סרטון&הווידאו הסרטון קטע&קול סטיקר gif מסמך כרטיס&איש&קשר מדיה המדיה"
    " | הושמט הושמטה לא&נכלל לא&נכללה הוסרה",
    "hi": "फ़ोटो फोटो इमेज वीडियो ऑडियो स्टिकर gif डॉक्यूमेंट कॉन्टैक्ट&कार्ड मीडिया"
    " | हटाई&गई हटाई&गयी छोड़ा&गया छोड़ी&गई के&बिना शामिल&नहीं&है",
    "hr": "slika video audio zvuk naljepnica gif dokument posjetnica medij medijski&zapis"
    " | izostavljen izostavljena izostavljeno",
    "hu": "kép videó hang hangüzenet matrica gif gif&fájl dokumentum névjegykártya médiafájl média"
    " | kihagyva kihagyása hiányzó elhagyva küldése&sikertelen",
    "id": "gambar foto video audio stiker gif dokumen kartu&kontak media | tidak&disertakan dihilangkan",
    "it": "immagine foto video audio sticker gif documento scheda&contatto media file&multimediale file"
    " | omesso omessa omessi omesse esclusa escluso non&incluso",
    "ja": "画像 写真 ビデオ 動画 音声 音声メッセージ スタンプ gif ドキュメント 文書 連絡先カード メディア"
    " | は含まれていません は省略されました を省略 なし",
    "kk": "файл файлдар сурет бейне аудио | қосылмаған қосылған&жоқ",
    "kn": "ಮಾಧ್ಯಮ ಮೀಡಿಯಾ ಚಿತ್ರ ವೀಡಿಯೊ ಆಡಿಯೋ | ಕೈಬಿಡಲಾಗಿದೆ",
    "ko": "이미지 사진 동영상 비디오 오디오 음성 스티커 gif 문서 연락처&카드 미디어&파일"
    " | 생략됨 생략 제외됨 을&생략한&대화내용",
    "lt": "medija nuotrauka vaizdo&įrašas garso&įrašas medijos&turinys dokumentas | praleista praleistas",
    "lv": "multivide multivides attēls video audio | nav&iekļauta bez izlaists",
    "mk": "файл фајл фајлови слика видео | без изоставено изоставена",
    "ml": "മീഡിയ ചിത്രം വീഡിയോ ഓഡിയോ | ഒഴിവാക്കി",
    "mr": "इमेज व्हिडिओ व्हिडीओ ऑडिओ स्टिकर gif डॉक्युमेंट संपर्क&कार्ड मीडिया | वगळली वगळला वगळले वगळण्यात&आला",
    "ms": "imej gambar video audio pelekat gif dokumen kad&kenalan media"
    " | tidak&dimasukkan dikecualikan disingkirkan",
    "nb": "bilde video lyd klistremerke gif dokument kontaktkort media vedlegg | utelatt uten sløyfet ikke&inkludert",
    "nl": "afbeelding foto video audio sticker gif document contactkaart visitekaartje media"
    " | weggelaten niet&opgenomen",
    "pa": "ਮੀਡੀਆ ਤਸਵੀਰ ਵੀਡੀਓ | ਛੱਡਿਆ ਛੱਡਿਆ&ਗਿਆ ਛਡਿਆ&ਗਿਆ",
    "pl": "obraz zdjęcie wideo film audio dźwięk naklejka naklejkę gif plik&gif dokument pliki multimedia"
    " wizytówka&kontaktu wizytówka | pominięto pominięty pominięta pominięte",
    "pt": "imagem foto vídeo áudio figurinha sticker gif documento cartão&do&contato contacto mídia ficheiro ficheiros"
    " ficheiro&de&áudio arquivo&de&mídia | ocultado ocultada omitido omitida não&revelado não&revelada oculto oculta"
    " não&incluído",
    "ro": "imagine video clip&video audio sticker gif document carte&de&vizită&contact media conținut&media"
    " | omis omisă omise fără lipsă",
    "ru": "изображение фото видео аудио аудиофайл стикер gif документ карточка&контакта медиа файл медиафайлов"
    " медиафайл контакт голосовое&сообщение | отсутствует пропущен пропущено не&добавлен без без&файла",
    "sk": "obrázok video zvuk nálepka gif dokument karta&kontaktu médiá | vynechaný vynechané vynechaná",
    "sl": "slika video zvok nalepka dokument medij datoteke predstavnost | izpuščen izpuščena izpuščene izpuščeno",
    "sq": "media imazhi video audio | u&hoq hequr",
    "sr": "медији слика видео аудио документ | су&изостављени изостављени изостављена изостављен",
    "sv": "bild video ljud sticker klistermärke gif dokument kontaktkort media mediafil"
    " | utelämnad utelämnat utesluten utelslutet uteslutet har&utelämnats utelämnats",
    "sw": "media picha video sauti | hazijajumuishwa imerukwa haikujumuishwa",
    "ta": "கோப்புகள் ஊடகங்கள் படம் வீடியோ ஆடியோ மீடியா | விடப்பட்டன நீக்கப்பட்டது விடுபட்டது தவிர்க்கப்பட்டது",
    "te": "మీడియా మాధ్యమం చిత్రం వీడియో ఆడియో | విస్మరించబడింది",
    "th": "รูปภาพ วิดีโอ ไฟล์เสียง สติกเกอร์ gif เอกสาร บัตรรายชื่อ ไฟล์สื่อ สื่อ | ไม่มี ถูกลบ ละเว้น ที่ละเว้น",
    "tr": "görüntü resim fotoğraf video ses çıkartma gif belge kişi&kartı medya | dahil&edilmedi atlanmış çıkarıldı",
    "uk": "зображення фото відео аудіо наклейку наклейка gif gif-анімацію документ картка&контакту медіа медіафайл"
    " медіафайли | відсутнє відсутня відсутній відсутні пропущено не&додано",
    "ur": "تصویر|ویڈیو|آڈیو|اسٹیکر|gif|دستاویز|رابطہ کارڈ|میڈیا"
    " | نکال دی گئی ہے|نظرانداز|نظر انداز|چھوڑ دیا گیا|ہٹا دیا گیا",
    "uz": "fayl rasm video audio media | o‘tkazib&yuborildi",
    "vi": "hình&ảnh ảnh ảnh&gif video tệp&âm&thanh sticker nhãn&dán gif tài&liệu thẻ&liên&lạc media tệp&phương&tiện"
    " | đã&bỏ&qua đã&bỏ bỏ&qua",
    "zh": "图片 圖片 照片 图像 圖像 视频 影片 影像"
    " 音频 音訊 语音 語音訊息 贴图 貼圖 表情 gif gif动态图 gif圖片 文档 文件"
    " 联系人卡片 聯絡人卡片 聯絡人名片 媒体 媒體 多媒體檔 多媒体文件 多媒體檔案 媒體檔案"
    " | 已忽略 已略去 已省略 省略 忽略 已被省略 已被忽略",
}

# In `<attached: 00000042-PHOTO-2020-06-07.jpg>` and `IMG-20210428-WA0001.jpg (file attached)`.
ATTACHED = """attached|file attached|anhang|angehängt|datei angehängt|adjunto|archivo adjunto
|archivo adjuntado|pièce jointe|fichier joint|anexado|anexo|arquivo anexado|ficheiro anexado|allegato
|file allegato|bijlage|bijgevoegd|bestand bijgevoegd|bifogat|bifogad fil|vedlagt|vedlagt fil|vedhæftet
|fil vedhæftet|liite|liitetiedosto|załączono|załączony plik|plik w załączniku|příloha|soubor byl přiložen
|príloha|súbor pripojený|csatolva|fájl csatolva|atașare|fișier atașat|прикреплено|файл добавлен|вложение
|додано|файл додано|прикачен файл|eklendi|dosya ekli|επισυνάφθηκε|συνημμένο αρχείο|מצורף|קובץ מצורף|المُرفق
|مرفق|الملف مرفق|پیوست|پیوست شد|پیوستہ|پیوستہ فائل|अटैच किया गया|फ़ाइल अटैच की गई|फाइल अटैच कर दी गई है
|संलग्न केले|फाइल संलग्न|જોડાયેલ|ફાઇલ જોડાયેલ|ফাইল সংযুক্ত হয়েছে|แนบ|ไฟล์ที่แนบ|đính kèm|tệp đính kèm|terlampir
|file terlampir|dilampir|fail dilampirkan|priloženo|datoteka u privitku|priložena datoteka
|прикачена датотека|lêer aangeheg|skedë e ngjitur|fail lisatud|pievienots fails|faili limeambatanishwa
|fayl biriktirildi|қосымша файл|adjunt|arxiu adjunt|附件|文件附件|附件檔案|档案附件|添付ファイル
|添付ファイル有り|첨부됨|첨부|파일 첨부됨"""

DELETED = """this message was deleted|you deleted this message|message deleted
|you deleted this message as admin|this message was deleted by an admin|deleted this message
|diese nachricht wurde gelöscht|du hast diese nachricht gelöscht|se eliminó este mensaje
|este mensaje fue eliminado|eliminaste este mensaje|mensaje eliminado|ce message a été supprimé
|vous avez supprimé ce message|message supprimé|esta mensagem foi apagada|você apagou esta mensagem
|mensagem apagada|apagou esta mensagem|apagaste esta mensagem|questo messaggio è stato eliminato
|hai eliminato questo messaggio|dit bericht is verwijderd|u hebt dit bericht verwijderd
|je hebt dit bericht verwijderd|det här meddelandet raderades|du raderade det här meddelandet
|du har tagit bort meddelandet|denne meldingen ble slettet|du slettet denne meldingen
|denne besked er blevet slettet|denne besked blev slettet|du slettede denne besked
|du har slettet denne besked|tämä viesti poistettiin|poistit tämän viestin|ta wiadomość została usunięta
|usunięto tę wiadomość|usunąłeś tę wiadomość|usunęłaś tę wiadomość|tato zpráva byla smazána
|tato zpráva byla odstraněna|tuto zprávu jste smazali|tuto zprávu jste odstranili|tuto zprávu jste odstranil/a
|tuto zprávu jste smazal/a
|táto správa bola odstránená|túto správu ste odstránili|ez az üzenet törlésre került
|törölted ezt az üzenetet|ezt az üzenetet törölted|acest mesaj a fost șters|ați șters acest mesaj
|ai șters acest mesaj|данное сообщение удалено|это сообщение удалено|сообщение удалено
|вы удалили данное сообщение|вы удалили это сообщение|це повідомлення було видалено|повідомлення видалено
|ви видалили це повідомлення|съобщението беше изтрито|изтрихте това съобщение|ова порука је обрисана
|ova poruka je izbrisana|ova je poruka izbrisana|izbrisali ste ovu poruku|to sporočilo je bilo izbrisano
|to sporočilo ste izbrisali|bu mesaj silindi|bu mesajı sildiniz|bu mesajı sildin|αυτό το μήνυμα διαγράφηκε
|διαγράψατε αυτό το μήνυμα|הודעה זו נמחקה|מחקת את ההודעה הזו|מחקת הודעה זו|ההודעה נמחקה|تم حذف هذه الرسالة
|لقد حذفت هذه الرسالة|حذفت هذه الرسالة|أنت حذفت هذه الرسالة|این پیام حذف شد|این پیام حذف شده است
|شما این پیام را حذف کردید|یہ میسج حذف کر دیا گیا ہے|آپ نے یہ میسج حذف کر دیا ہے
|यह मैसेज डिलीट कर दिया गया है|यह संदेश मिटाया गया|आपने यह मैसेज डिलीट किया|आपने यह संदेश मिटाया
|হয়েছে এই মেসেজটি বাদ দেওয়া|এই মেসেজটি বাদ দেওয়া হয়েছে|আপনি এই মেসেজটি বাদ দিয়েছেন|ข้อความนี้ถูกลบแล้ว
|ข้อความนี้ถูกลบ|คุณได้ลบข้อความนี้|คุณลบข้อความนี้แล้ว|tin nhắn này đã bị xóa|tin nhắn này đã bị xoá
|bạn đã xóa tin nhắn này|bạn đã xoá tin nhắn này|pesan ini dihapus|pesan ini telah dihapus
|anda menghapus pesan ini|anda telah menghapus pesan ini|mesej ini telah dipadam|mesej ini telah dipadamkan
|anda telah memadamkan mesej ini|hierdie boodskap is uitgevee|ky mesazh u fshi|aquest missatge s'ha suprimit
|has suprimit aquest missatge|see sõnum on kustutatud|ši žinutė buvo ištrinta|šī ziņa tika izdzēsta
|ujumbe huu ulifutwa|umefuta ujumbe huu|此訊息已刪除|您已刪除此訊息|你已刪除此訊息|此消息已被删除
|这条消息已被删除|您已删除这条消息|你已删除此消息|此消息已删除|このメッセージは削除されました
|このメッセージを削除しました|이 메시지는 삭제되었습니다|이 메시지를 삭제했습니다|삭제된 메시지입니다
|삭제한 메시지입니다|waiting for this message|waiting for this message. this may take a while
|auf diese nachricht wird gewartet|warte auf diese nachricht|esperando el mensaje|esperando este mensaje
|en attente de ce message|aguardando mensagem|in attesa di questo messaggio|wachten op dit bericht
|ожидание сообщения|bu mesaj bekleniyor"""

CALLS = """null|missed voice call|missed video call|missed group voice call|missed group video call
|voice call|video call|silenced voice call|silenced video call|missed call|call declined|no answer
|verpasster sprachanruf|verpasster videoanruf|sprachanruf|videoanruf|verpasster anruf|llamada perdida
|llamada de voz perdida|videollamada perdida|llamada de voz|videollamada|appel vocal manqué
|appel vidéo manqué|appel manqué|appel vocal|appel vidéo|chamada de voz perdida|chamada de vídeo perdida
|ligação de voz perdida|ligação de vídeo perdida|chamada perdida|ligação perdida|chamada de voz
|chamada de vídeo|ligação de voz|ligação de vídeo|chiamata persa|chiamata vocale persa|videochiamata persa
|chiamata vocale senza risposta|videochiamata senza risposta|chiamata vocale|videochiamata
|gemiste spraakoproep|gemiste video-oproep|gemiste oproep|spraakoproep|video-oproep|пропущенный аудиозвонок
|пропущенный видеозвонок|аудиозвонок|видеозвонок|пропущений аудіодзвінок|пропущений відеодзвінок
|пропущений аудіовиклик|пропущений відеовиклик|cevapsız sesli arama|cevapsız görüntülü arama|sesli arama
|görüntülü arama|nieodebrane połączenie głosowe|nieodebrane połączenie wideo|nieodebrane wideopołączenie
|zmeškaný hovor|zmeškaný hlasový hovor|zmeškaný videohovor|missat röstsamtal|missat videosamtal|tapt taleanrop
|tapt videoanrop|ubesvaret taleopkald|ubesvaret stemmeopkald|ubesvaret videoopkald|vastaamaton äänipuhelu
|vastaamaton videopuhelu|nem fogadott hanghívás|nem fogadott videohívás|apel vocal pierdut
|apel video pierdut|αναπάντητη φωνητική κλήση|αναπάντητη βιντεοκλήση|שיחה קולית שלא נענתה
|שיחת וידאו שלא נענתה|مكالمة صوتية فائتة|مكالمة فيديو فائتة|تماس صوتی از دست رفته|छूटी हुई वॉइस कॉल
|मिस्ड वॉइस कॉल|मिस्ड वीडियो कॉल|สายที่ไม่ได้รับ|cuộc gọi thoại nhỡ|cuộc gọi video nhỡ
|panggilan suara tak terjawab|panggilan video tak terjawab|panggilan suara tidak terjawab|未接语音通话
|未接视频通话|未接語音通話|未接視訊通話|未接來電|不在着信|不在着信音声通話|不在着信ビデオ通話
|音声通話不在着信|ビデオ通話不在着信|부재중 음성 통화|부재중 영상 통화|부재중 전화"""

# After the text of a message that was changed.
EDITED = """this message was edited|edited|diese nachricht wurde bearbeitet|bearbeitet|se editó este mensaje
|este mensaje fue editado|este mensaje se editó|editado|ce message a été modifié|modifié
|questo messaggio è stato modificato|modificato|esta mensagem foi editada|mensagem editada|editada
|dit bericht is bewerkt|dit bericht werd bewerkt|bewerkt|det här meddelandet har redigerats
|meddelandet redigerades|redigerad|denne meldingen ble redigert|redigeret|denne besked blev redigeret
|denne besked er blevet redigeret|tätä viestiä muokattiin|tätä viestiä on muokattu
|wiadomość została edytowana|ta wiadomość została edytowana|edytowano|tato zpráva byla upravena
|zpráva byla upravena|táto správa bola upravená|ezt az üzenetet szerkesztették|az üzenet szerkesztve lett
|acest mesaj a fost editat|данное сообщение изменено|это сообщение изменено|сообщение изменено|изменено
|це повідомлення відредаговано|це повідомлення було відредаговано|това съобщение беше редактирано
|ova poruka je uređena|bu mesaj düzenlendi|αυτό το μήνυμα τροποποιήθηκε
|αυτό το μήνυμα υποβλήθηκε σε επεξεργασία|הודעה זו נערכה|ההודעה נערכה|تم تعديل هذه الرسالة
|این پیام ویرایش شد|यह मैसेज एडिट किया गया|यह मैसेज एडिट किया गया है|এই মেসেজটি এডিট করা হয়েছে
|ข้อความนี้ถูกแก้ไขแล้ว|tin nhắn này đã được chỉnh sửa|tin nhắn này đã chỉnh sửa|pesan ini diedit
|pesan ini telah diedit|mesej ini telah diedit|mesej ini telah disunting|此訊息已編輯|此訊息已修改
|此消息已编辑|此消息已修改|この メッセージは編集されました|このメッセージは編集されました
|이 메시지는 수정되었습니다|이 메시지가 수정되었습니다|hierdie boodskap is geredigeer"""

# A place, or one that moves; the address of a map follows the first of them.
LIVE_PLACE = """live location shared|live-standort wird geteilt|ubicación en tiempo real compartida
|localisation en direct partagée|localização em tempo real compartilhada|localização atual compartilhada
|posizione attuale condivisa|live locatie gedeeld|геоданные отправлены|геодані надіслано|liveposition delad
|live placering delt|posisjon i sanntid delt|live-sijainti jaettu|byla sdílena aktuální poloha
|udostępniona transmisja położenia|mevcut konum paylaşıldı|canlı konum paylaşıldı|lokasi terkini dibagikan
|共享实时位置|實時位置已分享|ライブロケーション共有|تمت مشاركة الموقع المباشر|משתף מיקום בשידור חי
|लाइव स्थान साझा किया गया"""

# Pieces of what WhatsApp says about encryption when a chat begins, with its own name beside them.
ENCRYPTION = """end-to-end|end to end|ende-zu-ende|extremo a extremo|extrem a extrem|bout en bout
|ponta a ponta|ponto a ponto|crittograf|versleuteld|сквозн|наскрізн|uçtan uca|koncov|šifrov|szyfrow|titkos
|criptare|criptate|komplett kryptera|ende-til-ende|salataan|κρυπτογρ|מקצה|مشفرة|التشفير|رمزگذاری|اینکرپ
|एन्क्रिप्|ए‍न्क्रिप्|एन्ड-टू-एन्ड|এনক্রিপ|शुरू से अंत|เข้ารหัส|mã hóa|mã hoá|terenkripsi|hujung ke hujung|加密|暗号化
|암호화|종단간|криптиран|šifrir|enkripcij|encriptad|end-tot-end|fund-e-krye|шифр|encrypted|cifrad"""

# Pieces of other notices, for telling whether a file puts its marks before WhatsApp's own words.
NOTICES = """created this group|created group|added you|was added|you were added|changed the subject
|changed this group's|changed the group|joined using|security code|turned on disappearing
|turned off disappearing|changed their phone number|left|removed|now an admin|pinned a message|message timer
|is a contact|blocked this contact|business account|community|die gruppe|hinzugefügt|sicherheitsnummer
|verlassen|den betreff|el grupo|añadió|código de seguridad|el asunto|salió del|le groupe|a ajouté
|code de sécurité|a quitté|o grupo|adicionou|código de segurança|saiu|entrou|il gruppo|ha aggiunto
|codice di sicurezza|ha abbandonato|de groep|toegevoegd|beveiligingscode|группу|добавил|код безопасности
|вышел|покинул|групу|додав|код безпеки|grubu|ekledi|güvenlik kodu|ayrıldı|grupę|dodał|kod zabezpieczeń
|opuścił|skupinu|přidal|gruppen|la till|lade till|tilføjede|ryhmän|lisäsi|csoport|grupul|την ομάδα|הקבוצה
|הוסיף|المجموعة|أضاف|گروه|ग्रुप|গ্রুপ|กลุ่ม|nhóm|grup|kumpulan|群組|群组|安全代碼|安全代码|グループ|그룹"""


def phrases(table: str) -> frozenset[str]:
    """The phrases of a table, which bars separate."""
    return frozenset(phrase.strip() for phrase in table.replace("\n", "").split("|"))


def omitted_pairs() -> dict[str, frozenset[str]]:
    """The things that can be missing, each with the ways to say so in the languages that have a word for it."""
    found = dict[str, set[str]]()
    for table in OMITTED.values():
        things, _, ways = table.partition(" | ")
        split_things, split_ways = _listed(things), _listed(ways)
        for thing in split_things:
            found.setdefault(thing, set()).update(split_ways)
    return {thing: frozenset(ways) for thing, ways in found.items()}


def _listed(words: str) -> list[str]:
    if "|" in words:
        return [word.strip() for word in words.split("|")]
    return [word.replace("&", " ") for word in words.split()]
